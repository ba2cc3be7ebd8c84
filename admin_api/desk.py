"""Who asks, and with what: the signed-in staff member, the studio, and the services of this process.

A `Desk` is made for each request by the JSON API's dependency or by the pages, and handed to every function
that reads or does something. Both ways end in the same functions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import sessionmaker

from admin_api.permissions import Role, may
from admin_api.walls import GuardedSession, in_studio
from bus.outlet import Outlet
from kit.clock import Clock
from runtime.settings import AdminSettings
from storage.audit import write_audit
from storage.database import tenant
from web.hosts import HostDirectory
from web.problems import Problem

PREFIX: Final = "/admin/api/v1"
PLATFORM_ROLE: Final = "billbus_platform"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything of one process that is not a request's. `platform_engine` runs as billbus_platform."""

    settings: AdminSettings
    engine: Engine
    platform_engine: Engine
    sessions: sessionmaker[GuardedSession]
    outlet: Outlet
    clock: Clock
    hosts: HostDirectory = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """A staff member who is signed in; `session_id` names the sign-in or the token."""

    id: UUID
    studio_id: UUID
    session_id: UUID
    email: str
    name: str
    role: Role
    locale: Literal["ru", "en"]

    @property
    def principal(self) -> str:
        return f"staff:{self.id}"

    def may(self, permission: str) -> bool:
        return may(self.role, permission)


@dataclass(frozen=True, slots=True)
class Desk:
    """One request of one person. It is the `Sender` of the commands that are given here."""

    services: Services = field(repr=False)
    person: Person
    correlation_id: str
    remote_address: str | None

    operations_path: ClassVar[str] = f"{PREFIX}/operations"

    @property
    def studio_id(self) -> UUID:
        return self.person.studio_id

    @property
    def principal(self) -> str:
        return self.person.principal

    @property
    def engine(self) -> Engine:
        return self.services.engine

    @property
    def outlet(self) -> Outlet:
        return self.services.outlet

    @property
    def now(self) -> datetime:
        return self.services.clock()

    def require(self, permission: str) -> None:
        """Raises Problem 403."""
        if not self.person.may(permission):
            raise Problem(403, "forbidden", permission=permission)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction in the person's studio, for direct writes, commands and plain SQL."""
        with tenant(self.services.engine, self.studio_id) as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[GuardedSession]:
        """One reading session in the person's studio, behind the walls."""
        with in_studio(self.studio_id), self.services.sessions() as session:
            yield session

    def audit(
        self,
        connection: Connection,
        action: str,
        subject_id: UUID | None,
        *,
        before: dict[str, object] | None = None,
        after: dict[str, object] | None = None,
        facts: dict[str, object] | None = None,
    ) -> None:
        """Writes who, when, what and from where, in the transaction of what it is about."""
        write_audit(
            connection,
            studio_id=self.studio_id,
            principal=self.principal,
            action=action,
            subject_id=subject_id,
            remote_address=self.remote_address,
            correlation_id=self.correlation_id,
            facts=facts,
            before=before,
            after=after,
        )
