"""What one API process holds, and what an endpoint may ask for: services, the studio, the caller.

Made once by `app.create_app`; endpoints get their parts as FastAPI dependencies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection, Engine, text

from client_api.tokens import AccessToken, read_access_token
from kit.clock import Clock
from runtime.settings import ApiSettings
from storage.database import tenant
from web.hosts import HostDirectory, host_of
from web.outlet import Outlet
from web.problems import Problem, unauthenticated

PREFIX: Final = "/api/v1"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything of one process that is not a request's."""

    settings: ApiSettings
    engine: Engine
    outlet: Outlet
    clock: Clock
    hosts: HostDirectory = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in customer of one studio; `family_id` names the sign-in."""

    operations_path: ClassVar[str] = f"{PREFIX}/operations"

    services: Services = field(repr=False)
    studio_id: UUID
    customer_id: UUID
    family_id: UUID

    @property
    def principal(self) -> str:
        return f"customer:{self.customer_id}"

    @property
    def engine(self) -> Engine:
        return self.services.engine

    @property
    def outlet(self) -> Outlet:
        return self.services.outlet

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction in the caller's studio. Raises Problem 401 when the sign-in has been ended."""
        with tenant(self.services.engine, self.studio_id) as connection:
            row = {"customer_id": self.customer_id, "family_id": self.family_id}
            if connection.scalar(_SIGN_IN_LIVES, row) is None:
                raise unauthenticated()
            yield connection


_SIGN_IN_LIVES = text("""
    SELECT 1 FROM session
    WHERE family_id = :family_id AND customer_id = :customer_id AND revoked_at IS NULL LIMIT 1
""")

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The access token of a sign-in.")


def get_services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def get_studio_id(request: Request, services: "ServicesOf") -> UUID:
    """The studio of the Host header. Raises Problem 404 for a host that no studio has."""
    host = host_of(request)
    studio_id = services.hosts.find_studio(host) if host else None
    if studio_id is None:
        raise Problem(404, "unknown_host")
    return studio_id


def get_caller(
    services: "ServicesOf",
    studio_id: "StudioId",
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """Who sent the request. Raises Problem 401."""
    token: AccessToken | None = None
    if credentials is not None:
        token = read_access_token(services.settings.token_key, credentials.credentials, studio_id)
    if token is None:
        raise unauthenticated()
    return Caller(services, studio_id, token.customer_id, token.family_id)


ServicesOf = Annotated[Services, Depends(get_services)]
StudioId = Annotated[UUID, Depends(get_studio_id)]
SignedIn = Annotated[Caller, Depends(get_caller)]
