"""What one API process holds, and what an endpoint may ask for: services, the studio, the caller.

Made once by `app.create_app`; endpoints get their parts as FastAPI dependencies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from sqlalchemy import Connection, Engine, text

from bus.outlet import Outlet
from client_api.tokens import AccessToken, read_access_token
from kit.clock import Clock
from runtime.settings import ApiSettings
from web.fields import Bearer
from web.hosts import HostDirectory, host_of
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
        row = {"studio_id": self.studio_id, "customer_id": self.customer_id, "family_id": self.family_id}
        with self.services.engine.begin() as connection:
            if not connection.scalar(_ENTER, row):
                raise unauthenticated()
            yield connection


# What `tenant` does, and the look at the sign-in, in one round trip: every request pays it.
_ENTER = text("SELECT enter_studio_as_customer(:studio_id, :customer_id, :family_id)")


# The dependencies are coroutines, for those that are not cost a thread each; none of them may block.
async def get_services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


async def get_studio_id(request: Request, services: "ServicesOf") -> UUID:
    """The studio of the Host header. Raises Problem 404 for a host that no studio has."""
    studio_id = await services.hosts.await_studio(host_of(request))
    if studio_id is None:
        raise Problem(404, "unknown_host")
    return studio_id


async def find_caller(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    """`get_caller` for rooms that have dependencies of their own."""
    services = await get_services(request)
    return await get_caller(services, await get_studio_id(request, services), credentials)


async def find_studio_id(request: Request) -> UUID:
    """`get_studio_id` for rooms that have dependencies of their own."""
    return await get_studio_id(request, await get_services(request))


async def get_caller(services: "ServicesOf", studio_id: "StudioId", credentials: Bearer) -> Caller:
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
