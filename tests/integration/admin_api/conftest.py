"""The admin in this process, on a real database, with studios whose commands are really applied."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Client
from pydantic import SecretStr
from sqlalchemy import text

from admin_api.app import create_app
from admin_api.permissions import ROLES
from bus.transports import EmbeddedBus
from kit.ids import new_id
from runtime.settings import AdminSettings
from storage.database import connect_as
from tests.databases import Databases, owner_engine
from tests.integration.client_api.serving import serving
from tests.integration.state_updater.shops import SEALING_KEY, Shop
from web.passwords import hash_password

PASSWORD = "correct horse battery"
# Hashed once: it takes a tenth of a second.
_PASSWORD_HASH = hash_password(PASSWORD)
_STAFF = text("""
    INSERT INTO staff_member (id, studio_id, email, name, role, password_hash, locale)
    VALUES (:id, :studio_id, :email, :name, :role, :password_hash, :locale)
""")


@dataclass
class Office:
    """A studio and its staff, one of each role; `shop` does there what customers and providers do."""

    shop: Shop
    host: str
    staff: dict[str, UUID] = field(default_factory=dict)

    def email_of(self, role: str) -> str:
        return f"{role}@{self.host}"

    def hire(self, role: str, *, locale: str = "en", name: str | None = None) -> UUID:
        """A staff member with PASSWORD."""
        staff_id = new_id()
        row = {
            "id": staff_id,
            "studio_id": self.shop.studio_id,
            "email": self.email_of(role),
            "name": name or role.replace("_", " ").title(),
            "role": role,
            "password_hash": _PASSWORD_HASH,
            "locale": locale,
        }
        with self.shop.owner.begin() as connection:
            connection.execute(_STAFF, row)
        self.staff[role] = staff_id
        return staff_id


@pytest.fixture(scope="session")
def admin_database(databases: Databases) -> Iterator[str]:
    with databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def open_office(admin_database: str) -> Iterator[Callable[[], Office]]:
    shops: list[Shop] = []

    def open_one() -> Office:
        shop = Shop(admin_database)
        host = f"{secrets.token_hex(4)}.example.org"
        shop.set_up()
        with owner_engine(admin_database).begin() as connection:
            connection.execute(
                text("UPDATE studio SET host = :host WHERE id = :id"), {"host": host, "id": shop.studio_id}
            )
        office = Office(shop, host)
        for role in ROLES:
            office.hire(role)
        shops.append(shop)
        return office

    yield open_one
    for shop in shops:
        shop.close()


@pytest.fixture(scope="session")
def office(open_office: Callable[[], Office]) -> Office:
    return open_office()


@pytest.fixture(scope="session")
def other_office(open_office: Callable[[], Office]) -> Office:
    return open_office()


@pytest.fixture(scope="session")
def settings(admin_database: str) -> AdminSettings:
    return AdminSettings(
        database_url=SecretStr(admin_database),
        form_key=SecretStr(secrets.token_hex(32)),
        sealing_key=SecretStr(SEALING_KEY),
        secure_cookies=False,
    )


@pytest.fixture(scope="session")
def app(settings: AdminSettings, admin_database: str) -> FastAPI:
    bus = EmbeddedBus(partial(connect_as, admin_database, "billbus_admin", "test-admin"))
    return create_app(settings, bus.command_publisher())


@pytest.fixture(scope="session")
def address(app: FastAPI) -> Iterator[str]:
    with serving(app) as url:
        yield url


@pytest.fixture(scope="session")
def sign_in(address: str, office: Office) -> Iterator[Callable[..., Client]]:
    """A client of the JSON API, signed in as a role of an office; one sign-in per role and office."""
    clients: dict[tuple[str, str], Client] = {}

    def as_role(role: str, at: Office = office) -> Client:
        if (at.host, role) not in clients:
            client = Client(base_url=f"{address}/admin/api/v1", headers={"Host": at.host}, timeout=40)
            wish = {"email": at.email_of(role), "password": PASSWORD}
            answer = client.post("/sign-in", json=wish)
            assert answer.status_code == 200, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            clients[at.host, role] = client
        return clients[at.host, role]

    yield as_role
    for client in clients.values():
        client.close()


@pytest.fixture(scope="session")
def browse(address: str, office: Office) -> Iterator[Callable[..., Client]]:
    """A browser without scripts at an office's pages; signs in on the page as a person does."""
    clients: list[Client] = []

    def as_role(role: str | None, at: Office = office) -> Client:
        client = Client(
            base_url=address, headers={"Host": at.host, "Origin": f"http://{at.host}"}, timeout=40
        )
        clients.append(client)
        if role is not None:
            wish = {"email": at.email_of(role), "password": PASSWORD}
            answer = client.post("/admin/login", data=wish)
            assert answer.status_code == 303, answer.text
        return client

    yield as_role
    for client in clients:
        client.close()
