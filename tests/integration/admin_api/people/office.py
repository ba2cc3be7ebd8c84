"""An office: a studio with staff, and the services of an admin process at a clock that tests turn."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import text

from admin_api.actions.action import Done
from admin_api.desk import Desk, Services
from admin_api.people.actions import ACTIONS
from admin_api.people.dependencies import person_of_token
from admin_api.people.sign_in import Arrival, enter
from admin_api.people.tokens import SignedIn, SignInKind
from admin_api.walls import guarded_sessions
from bus.outlet import Outlet
from bus.transports import EmbeddedBus
from kit.ids import new_id, sha256
from runtime.settings import AdminSettings
from storage.database import connect_as, create_role_engine, tenant
from storage.staff import StaffRow, insert_staff_member
from storage.studios import create_studio
from tests.databases import owner_engine
from web.commands import CommandRequest
from web.hosts import HostDirectory
from web.passwords import hash_password

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
NAMED = {action.name: action for action in ACTIONS}


@dataclass
class TestClock:
    """Stands still until it is turned."""

    __test__ = False
    now: datetime = datetime(2026, 11, 21, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, by: timedelta) -> None:
        self.now += by


def make_services(database_url: str, clock: TestClock) -> Services:
    settings = AdminSettings(
        database_url=SecretStr(database_url),
        form_key=SecretStr(secrets.token_hex(32)),
        sealing_key=SecretStr("A" * 43 + "="),
        secure_cookies=False,
    )
    engine = create_role_engine(database_url, "billbus_admin", "test-admin")
    bus = EmbeddedBus(lambda: connect_as(database_url, "billbus_admin", "test-admin-bus"))
    return Services(
        settings=settings,
        engine=engine,
        platform_engine=create_role_engine(database_url, "billbus_platform", "test-admin-platform"),
        sessions=guarded_sessions(engine),
        outlet=Outlet(bus.command_publisher()),
        clock=clock,
        hosts=HostDirectory(engine),
    )


@dataclass
class Office:
    services: Services = field(repr=False)
    clock: TestClock
    studio_id: UUID
    host: str
    database_url: str = field(repr=False)

    def hire(self, role: str = "owner", *, email: str | None = None) -> StaffRow:
        """A member with PASSWORD."""
        address = email or f"{secrets.token_hex(6)}@example.org"
        member = StaffRow(new_id(), address, "Anna", role, "ru", None, PASSWORD_HASH)
        with owner_engine(self.database_url).begin() as connection:
            assert insert_staff_member(connection, self.studio_id, member)
        return member

    def enter(self, member: StaffRow, kind: SignInKind = "token") -> SignedIn:
        """A sign-in without the password, which takes its time."""
        arrival = Arrival(self.studio_id, "127.0.0.1", new_id().hex)
        with tenant(self.services.engine, self.studio_id) as connection:
            return enter(connection, arrival, member.id, kind, self.clock())

    def desk(self, member: StaffRow, kind: SignInKind = "token") -> Desk:
        desk = self.find_desk(self.enter(member, kind).token, kind)
        assert desk is not None
        return desk

    def find_desk(self, token: str, kind: SignInKind = "token") -> Desk | None:
        person = person_of_token(self.services, self.studio_id, token, kind)
        return Desk(self.services, person, new_id().hex, "127.0.0.1") if person else None

    def ask(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        """As the owner of the tables, past row-level security."""
        with owner_engine(self.database_url).begin() as connection:
            found = connection.execute(text(statement), parameters)
            return [tuple(row) for row in found] if found.returns_rows else []

    def audited(self) -> list[tuple[object, ...]]:
        """Action and subject of the studio's audit, in the order written."""
        return self.ask(
            "SELECT action, subject_id FROM audit WHERE studio_id = :id ORDER BY id", id=self.studio_id
        )

    def is_alive(self, desk: Desk) -> bool:
        rows = self.ask("SELECT revoked_at FROM session WHERE id = :id", id=desk.person.session_id)
        return rows == [(None,)]


def open_office(services: Services, clock: TestClock, database_url: str) -> Office:
    studio_id, host = new_id(), f"{secrets.token_hex(4)}.example.org"
    with owner_engine(database_url).begin() as connection:
        create_studio(
            connection, studio_id, name="Studio", host=host, timezone="Europe/Moscow", currency="RUB"
        )
    return Office(services, clock, studio_id, host, database_url)


def sent(key: str | None = None, path: str = "/here") -> CommandRequest:
    """A request of one's own, or the same one again."""
    return CommandRequest("POST", path, key or secrets.token_hex(8), sha256(b""), new_id().hex, "127.0.0.1")


def do(
    desk: Desk, name: str, subject_id: UUID | None = None, key: str | None = None, /, **body: object
) -> Done:
    """Does an action of people as the routes do: permission, body, run."""
    action = NAMED[name]
    desk.require(action.permission)
    path = action.path.format(subject_id=subject_id)
    return action.run(desk, sent(key, path), subject_id, action.body.model_validate(body))


OpenOffice = Callable[[], Office]
