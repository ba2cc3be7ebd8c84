"""Who sees whose rows: the APIs one studio at a time, and none before it is known."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from kit.ids import new_id
from models.roles import ROLES
from storage.database import create_role_engine, tenant
from tests.databases import owner_engine
from tests.integration.models.tenants import Tenant, create_tenant, insert_invoice

SEES_ONE_STUDIO = ("billbus_api", "billbus_admin")
_CUSTOMERS = text("SELECT studio_id FROM customer")
_INVOICES = text("SELECT studio_id FROM invoice")


@dataclass
class TwoStudios:
    url: str
    one: Tenant
    other: Tenant


@pytest.fixture
def studios(each_database_url: str) -> TwoStudios:
    with owner_engine(each_database_url).begin() as connection:
        one = create_tenant(connection, "one.example")
        other = create_tenant(connection, "other.example")
        for each in (one, other):
            insert_invoice(connection, each)
    return TwoStudios(each_database_url, one, other)


@pytest.fixture
def api(studios: TwoStudios) -> Iterator[Engine]:
    engine = create_role_engine(studios.url, "billbus_api", "test")
    yield engine
    engine.dispose()


def _count(connection: Connection, statement: str) -> int:
    found: int = connection.execute(text(statement)).scalar_one()
    return found


def test_api_without_a_studio_sees_nothing(api: Engine) -> None:
    with api.connect() as connection:
        assert connection.scalars(_CUSTOMERS).all() == []
        assert connection.scalars(_INVOICES).all() == []


def test_api_with_a_studio_sees_that_one_alone(api: Engine, studios: TwoStudios) -> None:
    for each in (studios.one, studios.other):
        with tenant(api, each.studio_id) as connection:
            assert connection.scalars(_CUSTOMERS).all() == [each.studio_id]
            assert connection.scalars(_INVOICES).all() == [each.studio_id]


def test_pooled_connection_forgets_its_studio(api: Engine, studios: TwoStudios) -> None:
    backend = text("SELECT pg_backend_pid()")
    with tenant(api, studios.one.studio_id) as connection:
        first = connection.scalar(backend)
    with api.connect() as connection:
        assert connection.scalar(backend) == first, "the pool gave another connection"
        assert connection.scalars(_CUSTOMERS).all() == []


def test_api_cannot_write_into_another_studio(api: Engine, studios: TwoStudios) -> None:
    insert = text(
        "INSERT INTO customer (id, studio_id, email, name) VALUES (:id, :studio_id, 'x@example.org', 'x')"
    )
    with tenant(api, studios.one.studio_id) as connection:
        connection.execute(insert, {"id": new_id(), "studio_id": studios.one.studio_id})
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        tenant(api, studios.one.studio_id) as connection,
    ):
        connection.execute(insert, {"id": new_id(), "studio_id": studios.other.studio_id})


def test_look_ups_before_the_studio_is_known_give_ids_only(api: Engine, studios: TwoStudios) -> None:
    with api.connect() as connection:
        look_up = text("SELECT studio_of_host('ONE.example'), studio_of_host('nobody.example')")
        assert connection.execute(look_up).one() == (studios.one.studio_id, None)


@pytest.mark.parametrize("role", [role for role in ROLES if role not in SEES_ONE_STUDIO])
def test_house_roles_see_every_studio_or_may_not_look(studios: TwoStudios, role: str) -> None:
    engine = create_role_engine(studios.url, role, "test")
    with engine.connect() as connection:
        may_look = _count(connection, "SELECT has_column_privilege('customer', 'id', 'SELECT')::int")
        if may_look:
            assert _count(connection, "SELECT count(id) FROM customer") == 2
        else:
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(_CUSTOMERS)
    engine.dispose()


def test_platform_reads_and_writes_nothing(studios: TwoStudios) -> None:
    engine = create_role_engine(studios.url, "billbus_platform", "test")
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("UPDATE customer SET name = 'x'"))
    engine.dispose()
