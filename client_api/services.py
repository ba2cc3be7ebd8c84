"""What one API process holds, and what an endpoint may ask for: services, the studio, the caller.

Made once by `app.create_app`; endpoints get their parts as FastAPI dependencies.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection, Engine, text

from bus.port import BusAway, Envelope, Publisher
from client_api.problems import Problem, unauthenticated
from client_api.tokens import AccessToken, read_access_token
from kit.clock import Clock
from runtime.crash_points import crash_point
from runtime.metrics import COMMANDS_ACCEPTED
from runtime.settings import ApiSettings
from storage.database import tenant

HOST_CACHE_SECONDS: Final = 5.0
HOST_CACHE_LIMIT: Final = 1_000
HOST_LENGTH_LIMIT: Final = 253
BUS_PAUSE_SECONDS: Final = 1.0
# All of it is looked at: the whole header goes into addresses that we make, and `studio:80@elsewhere` has a
# studio's name only up to its colon.
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?")

log = structlog.get_logger(__name__)


class HostDirectory:
    """Which studio answers at a host. Known hosts are remembered for HOST_CACHE_SECONDS."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[float, UUID]] = {}

    def find_studio(self, host: str) -> UUID | None:
        """`host` without its port."""
        remembered = self._known.get(host)
        if remembered and monotonic() - remembered[0] < HOST_CACHE_SECONDS:
            return remembered[1]
        with self._engine.begin() as connection:
            studio_id: UUID | None = connection.scalar(text("SELECT studio_of_host(:host)"), {"host": host})
        if studio_id is not None:
            if len(self._known) >= HOST_CACHE_LIMIT:
                self._known.clear()
            self._known[host] = (monotonic(), studio_id)
        return studio_id


class Outlet:
    """Publishes accepted commands after their commit. Never fails: what is not taken, the relay sends.

    After a failure nobody tries for BUS_PAUSE_SECONDS: with the broker away every request would otherwise
    hold a thread until the publisher's deadline.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._paused_until = 0.0

    @property
    def is_away(self) -> bool:
        return monotonic() < self._paused_until

    def publish(self, envelope: Envelope | None) -> None:
        """None: the command was in the journal before."""
        if envelope is None:
            return
        COMMANDS_ACCEPTED.labels(envelope.kind).inc()
        if self.is_away:
            return
        crash_point("before_publish")
        try:
            self._publisher.publish([envelope])
        except BusAway:
            with self._lock:
                self._paused_until = monotonic() + BUS_PAUSE_SECONDS
            log.warning("the bus is away; the relay will send", **{"command.id": str(envelope.message_id)})
        crash_point("after_confirm")

    def close(self) -> None:
        self._publisher.close()


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

    services: Services = field(repr=False)
    studio_id: UUID
    customer_id: UUID
    family_id: UUID

    @property
    def principal(self) -> str:
        return f"customer:{self.customer_id}"

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


def host_of(request: Request) -> str:
    """The Host header without its port, lower case; empty when it is no host."""
    found = _HOST.fullmatch(request.headers.get("host", "").lower())
    return found[1] if found and len(found[1]) <= HOST_LENGTH_LIMIT else ""


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


def get_correlation_id(request: Request) -> str:
    return str(request.state.correlation_id)


ServicesOf = Annotated[Services, Depends(get_services)]
StudioId = Annotated[UUID, Depends(get_studio_id)]
SignedIn = Annotated[Caller, Depends(get_caller)]
CorrelationId = Annotated[str, Depends(get_correlation_id)]
