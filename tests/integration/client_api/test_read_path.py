"""What every read of a customer goes through: one round trip into the studio, one thread."""

from collections.abc import Iterator
from inspect import iscoroutinefunction
from uuid import UUID

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from sqlalchemy import Connection, Engine, text

from client_api.services import get_caller
from kit.ids import new_id
from storage.database import create_role_engine
from tests.databases import owner_engine
from tests.integration.models.tenants import Tenant, create_tenant

_SESSION = text("""
    INSERT INTO session (id, studio_id, customer_id, family_id, token_hash, created_at, expires_at)
    VALUES (:family_id, :studio_id, :customer_id, :family_id, decode(md5(:host), 'hex'), now(), now())
""")
_ENTER = text("SELECT enter_studio_as_customer(:studio_id, :customer_id, :family_id)")
_SEEN = text("SELECT studio_id FROM customer")


def sign_in(connection: Connection, host: str) -> tuple[Tenant, UUID]:
    tenant, family_id = create_tenant(connection, host), new_id()
    row = {"studio_id": tenant.studio_id, "customer_id": tenant.customer_id, "family_id": family_id}
    connection.execute(_SESSION, {**row, "host": host})
    return tenant, family_id


@pytest.fixture
def api(each_database_url: str) -> Iterator[Engine]:
    engine = create_role_engine(each_database_url, "billbus_api", "test")
    yield engine
    engine.dispose()


def enter(connection: Connection, tenant: Tenant, customer_id: UUID, family_id: UUID) -> bool:
    row = {"studio_id": tenant.studio_id, "customer_id": customer_id, "family_id": family_id}
    return bool(connection.execute(_ENTER, row).scalar_one())


def test_entering_finds_the_sign_in_of_that_studio_and_customer_alone(
    each_database_url: str, api: Engine
) -> None:
    with owner_engine(each_database_url).begin() as owner:
        (one, family_id), (other, _) = sign_in(owner, "one.example"), sign_in(owner, "other.example")
    with api.begin() as connection:
        assert enter(connection, one, one.customer_id, family_id)
        assert connection.scalars(_SEEN).all() == [one.studio_id]
        assert not enter(connection, other, one.customer_id, family_id)
        assert not enter(connection, one, other.customer_id, family_id)
        assert not enter(connection, one, one.customer_id, new_id())
    with api.connect() as connection:
        assert connection.scalars(_SEEN).all() == []


def test_a_sign_in_that_has_been_ended_is_none(each_database_url: str, api: Engine) -> None:
    with owner_engine(each_database_url).begin() as owner:
        one, family_id = sign_in(owner, "one.example")
    with api.begin() as connection:
        assert enter(connection, one, one.customer_id, family_id)
    with owner_engine(each_database_url).begin() as owner:
        owner.execute(text("UPDATE session SET revoked_at = now()"))
    with api.begin() as connection:
        assert not enter(connection, one, one.customer_id, family_id)


def calls(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from calls(inner)


def test_who_asks_is_found_without_a_thread() -> None:
    found = list(calls(get_dependant(path="/", call=get_caller)))
    assert len(found) >= 3
    for call in (get_caller, *found):
        assert iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__), call
