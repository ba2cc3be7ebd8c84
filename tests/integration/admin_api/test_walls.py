"""The walls of the admin, each on its own, and what is seen when all of them are gone.

A wall that only holds because another one stands is no wall: every test here takes the others away first. The
last ones take away the wall itself and see the leak, so that none of these tests passes for another reason.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, delete, event, func, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import sessionmaker

from admin_api import walls
from admin_api.walls import GuardedSession, NoStudio, StateWritten, guarded_sessions, in_studio
from kit.ids import new_id
from models.tables import Base, Customer, Invoice, Plan, Studio, Subscription
from state_updater.machines import MACHINES
from storage.database import create_role_engine
from tests.integration.admin_api.conftest import Office

TABLE_OF_MACHINE = {
    "booking": "booking",
    "invoice": "invoice",
    "payment": "payment_attempt",
    "refund": "refund",
    "subscription": "subscription",
}
TENANT_TABLES = sorted(
    mapper.local_table.name for mapper in Base.registry.mappers if "studio_id" in mapper.columns
)


@pytest.fixture(scope="module")
def two_studios(office: Office, other_office: Office) -> tuple[Office, Office]:
    """Each with a subscription and an invoice."""
    for one in (office, other_office):
        one.shop.subscribe()
    return office, other_office


@pytest.fixture
def admin_engine(admin_database: str) -> Iterator[Engine]:
    engine = create_role_engine(admin_database, "billbus_admin", "test-walls")
    yield engine
    engine.dispose()


@pytest.fixture
def owner_engine(admin_database: str) -> Iterator[Engine]:
    """Under no role: neither grants nor row-level security stand in the way."""
    engine = create_engine(make_url(admin_database).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@contextmanager
def without(listener: Callable[..., object], name: str) -> Iterator[None]:
    """One of the session's own walls taken away."""
    event.remove(GuardedSession, name, listener)
    try:
        yield
    finally:
        event.listen(GuardedSession, name, listener)


def studios_of(sessions: sessionmaker[GuardedSession], studio_id: UUID) -> set[UUID]:
    with in_studio(studio_id), sessions() as session:
        return set(session.scalars(select(Invoice.studio_id)))


# -------------------------------------------------------------------- one studio


def test_criteria_alone_keep_to_the_studio(owner_engine: Engine, two_studios: tuple[Office, Office]) -> None:
    ours, theirs = two_studios
    sessions = guarded_sessions(owner_engine)
    assert studios_of(sessions, ours.shop.studio_id) == {ours.shop.studio_id}
    with in_studio(ours.shop.studio_id), sessions() as session:
        assert session.get(Customer, theirs.shop.customer_id) is None
        assert session.get(Studio, theirs.shop.studio_id) is None
        assert session.scalar(select(func.count()).select_from(Plan)) == 1
        joined = select(Customer.studio_id).join(Subscription, Subscription.customer_id == Customer.id)
        assert set(session.scalars(joined)) == {ours.shop.studio_id}


def test_row_level_security_alone_keeps_to_the_studio(
    admin_engine: Engine, two_studios: tuple[Office, Office]
) -> None:
    ours, theirs = two_studios
    with without(walls._keep_to_studio, "do_orm_execute"):
        sessions = guarded_sessions(admin_engine)
        assert studios_of(sessions, ours.shop.studio_id) == {ours.shop.studio_id}
        with in_studio(ours.shop.studio_id), sessions() as session:
            assert session.get(Customer, theirs.shop.customer_id) is None
            for table in TENANT_TABLES:
                if table != "job_run" and _may_read(session, table):
                    foreign = text(f"SELECT count(*) FROM {table} WHERE studio_id <> :studio_id")  # noqa: S608
                    assert session.scalar(foreign, {"studio_id": ours.shop.studio_id}) == 0, table


def test_with_neither_wall_the_other_studio_is_seen(
    owner_engine: Engine, two_studios: tuple[Office, Office]
) -> None:
    ours, theirs = two_studios
    with without(walls._keep_to_studio, "do_orm_execute"):
        seen = studios_of(guarded_sessions(owner_engine), ours.shop.studio_id)
    assert {ours.shop.studio_id, theirs.shop.studio_id} <= seen


def test_session_without_a_studio_reads_nothing(admin_engine: Engine) -> None:
    with guarded_sessions(admin_engine)() as session, pytest.raises(NoStudio):
        session.scalars(select(Invoice)).all()


def test_pooled_connection_carries_no_studio_to_the_next_request(
    admin_engine: Engine, two_studios: tuple[Office, Office]
) -> None:
    studios_of(guarded_sessions(admin_engine), two_studios[0].shop.studio_id)
    with admin_engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM invoice")) == 0


def _may_read(session: GuardedSession, table: str) -> bool:
    question = text("SELECT has_table_privilege('billbus_admin', :table, 'SELECT')")
    return bool(session.scalar(question, {"table": table}))


# -------------------------------------------------------------------- no state


def test_guard_refuses_what_a_view_would_flush(
    owner_engine: Engine, two_studios: tuple[Office, Office]
) -> None:
    ours, _ = two_studios
    with in_studio(ours.shop.studio_id), guarded_sessions(owner_engine)() as session:
        invoice = session.scalars(select(Invoice)).first()
        assert invoice is not None
        invoice.state = "paid"
        with pytest.raises(StateWritten):
            session.flush()
        session.rollback()
        session.add(Plan(id=new_id(), studio_id=ours.shop.studio_id, code="x", name="x"))
        with pytest.raises(StateWritten):
            session.commit()
        session.rollback()
        invoice = session.scalars(select(Invoice)).first()
        session.delete(invoice)
        with pytest.raises(StateWritten):
            session.flush()


@pytest.mark.parametrize("statement", [update(Invoice).values(state="paid"), delete(Invoice)])
def test_guard_refuses_bulk_statements(
    owner_engine: Engine, two_studios: tuple[Office, Office], statement: object
) -> None:
    ours, _ = two_studios
    with (
        in_studio(ours.shop.studio_id),
        guarded_sessions(owner_engine)() as session,
        pytest.raises(StateWritten),
    ):
        session.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET state = state", "DELETE FROM {table}", "INSERT INTO {table} DEFAULT VALUES"],
)
def test_role_alone_writes_no_machine(admin_engine: Engine, machine: str, statement: str) -> None:
    with admin_engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(statement.format(table=TABLE_OF_MACHINE[machine])))


def test_without_guard_and_role_a_state_is_written(
    owner_engine: Engine, two_studios: tuple[Office, Office]
) -> None:
    """Down to the last wall, the trigger: it lets no undeclared step pass whoever writes."""
    ours, _ = two_studios
    with (
        without(walls._refuse_to_flush, "before_flush"),
        in_studio(ours.shop.studio_id),
        guarded_sessions(owner_engine)() as session,
    ):
        invoice = session.scalars(select(Invoice).where(Invoice.state == "open")).first()
        assert invoice is not None
        invoice.state, invoice.version = "void", invoice.version + 1
        session.flush()
        session.rollback()
        invoice = session.scalars(select(Invoice).where(Invoice.state == "open")).first()
        assert invoice is not None
        invoice.state, invoice.version = "refunded", invoice.version + 1
        with pytest.raises(DBAPIError, match="no transition"):
            session.flush()
