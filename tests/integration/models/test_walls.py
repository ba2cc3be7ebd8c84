"""What Postgres itself refuses, whoever asks: undeclared states, changed history, foreign studios."""

import os
import shutil
import subprocess

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from kit.ids import new_id, sha256
from runtime.postgres import find_installations
from state_updater.machines import MACHINES
from tests.databases import owner_engine
from tests.integration.models.tenants import create_tenant, insert_invoice

TABLE_OF_MACHINE = {
    "booking": "booking",
    "invoice": "invoice",
    "payment": "payment_attempt",
    "refund": "refund",
    "subscription": "subscription",
}


def test_every_machine_has_its_table() -> None:
    assert set(TABLE_OF_MACHINE) == set(MACHINES)


@pytest.mark.parametrize("machine", MACHINES)
def test_owner_reaches_declared_states_and_no_others(each_database_url: str, machine: str) -> None:
    """Every pair of states is tried, on a bare copy of the table with only the machine's trigger on it."""
    table = MACHINES[machine]
    pairs = table.pairs()
    with owner_engine(each_database_url).connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE probe (id uuid, state text, version integer)"))
        connection.execute(text(_trigger_on_probe(connection, TABLE_OF_MACHINE[machine])))
        reached = {
            (source, dest)
            for source in ("", *table.states)
            for dest in table.states
            if _is_let_through(connection, source, dest)
        }
    assert reached == pairs


def _trigger_on_probe(connection: Connection, relation: str) -> str:
    definition = text(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = CAST(:relation AS regclass) AND tgname = 'machine'"
    )
    found: str = connection.execute(definition, {"relation": relation}).scalar_one()
    return found.replace(f" ON public.{relation} ", " ON probe ")


def _is_let_through(connection: Connection, source: str, dest: str) -> bool:
    if source == "":
        write, values = "INSERT INTO probe VALUES (NULL, :dest, 1)", {"dest": dest}
    else:
        connection.execute(text("ALTER TABLE probe DISABLE TRIGGER machine"))
        connection.execute(text("INSERT INTO probe VALUES (NULL, :source, 1)"), {"source": source})
        connection.execute(text("ALTER TABLE probe ENABLE TRIGGER machine"))
        write, values = "UPDATE probe SET state = :dest, version = 2", {"dest": dest}
    try:
        with connection.begin_nested():
            connection.execute(text(write), values)
    except IntegrityError:
        return False
    else:
        return True
    finally:
        connection.execute(text("DELETE FROM probe"))


def test_step_without_its_version_is_refused(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        tenant = create_tenant(connection, "one.example")
        invoice_id = insert_invoice(connection, tenant)
        for version in (1, 3):
            with pytest.raises(IntegrityError, match="does not follow"), connection.begin_nested():
                connection.execute(
                    text("UPDATE invoice SET state = 'void', version = :version WHERE id = :id"),
                    {"version": version, "id": invoice_id},
                )
        with pytest.raises(IntegrityError, match="does not follow"), connection.begin_nested():
            insert_invoice(connection, tenant, version=2)


def _psql() -> str:
    found = shutil.which("psql")
    return found or str(find_installations()[0].bin_dir / "psql")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice SET state = 'paid', version = version + 1",
        "UPDATE invoice SET state = 'invented', version = version + 1",
        "INSERT INTO invoice (id, studio_id, customer_id, state, version, head_hash, currency, total_minor,"
        " number, opened_at, expires_at, created_at, updated_at)"
        " SELECT gen_random_uuid(), studio_id, customer_id, 'open', 1, head_hash, currency, 1, 'x', now(),"
        " now(), now(), now() FROM invoice",
    ],
)
def test_undeclared_state_is_refused_in_psql_too(each_database_url: str, statement: str) -> None:
    with owner_engine(each_database_url).begin() as connection:
        insert_invoice(connection, create_tenant(connection, "one.example"))
    done = subprocess.run(
        [_psql(), "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--command={statement}", each_database_url],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.defpath, "LC_ALL": "C"},
    )
    assert done.returncode != 0
    assert "no transition from" in done.stderr


_ONE_OF_EACH = {
    "state_event": "INSERT INTO state_event (aggregate_id, version, machine, studio_id, trigger, from_state,"
    " to_state, facts, command_id, correlation_id, occurred_at, hash)"
    " VALUES (:id, 1, 'invoice', :studio_id, 'draw', '', 'draft', '{}', :id, '', now(), :hash)",
    "ledger_transfer": "INSERT INTO ledger_transfer (id, studio_id, debit_account_id, credit_account_id,"
    " amount_minor, currency, posting_id, causation_id, posted_at)"
    " SELECT :id, :studio_id, d.id, c.id, 1, 'RUB', :id, :id, now()"
    " FROM ledger_account d JOIN ledger_account c USING (studio_id)"
    " WHERE d.studio_id = :studio_id AND d.kind = 'sales' AND c.kind = 'provider_clearing'",
    "audit": "INSERT INTO audit (id, studio_id, principal, action, correlation_id)"
    " VALUES (:id, :studio_id, 'test', 'test', '')",
}
_CHANGES = ["UPDATE {} SET studio_id = studio_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]


@pytest.mark.parametrize("relation", [*_ONE_OF_EACH, "price", "tariff"])
@pytest.mark.parametrize("change", _CHANGES, ids=["update", "delete", "truncate"])
def test_owner_cannot_change_history(each_database_url: str, relation: str, change: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        tenant = create_tenant(connection, "one.example")
        if relation in _ONE_OF_EACH:
            values = {"id": new_id(), "studio_id": tenant.studio_id, "hash": sha256(b"")}
            insert = text(_ONE_OF_EACH[relation].replace("'{}'", "CAST('{}' AS jsonb)"))
            assert connection.execute(insert, values).rowcount == 1
        with pytest.raises(ProgrammingError, match=f"{relation} is append-only"):
            connection.execute(text(change.format(relation)))


def test_row_cannot_point_into_another_studio(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        one = create_tenant(connection, "one.example")
        other = create_tenant(connection, "other.example")
        invoice_id = insert_invoice(connection, one)
        line = text("""
            INSERT INTO invoice_line (id, studio_id, invoice_id, position, description, quantity,
                unit_amount_minor, amount_minor)
            VALUES (gen_random_uuid(), :studio_id, :invoice_id, :position, 'x', 1, 100, 100)
        """)
        connection.execute(line, {"studio_id": one.studio_id, "invoice_id": invoice_id, "position": 1})
        with pytest.raises(IntegrityError, match="foreign key"):
            connection.execute(line, {"studio_id": other.studio_id, "invoice_id": invoice_id, "position": 2})


def test_second_live_attempt_is_refused(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        tenant = create_tenant(connection, "one.example")
        connection.execute(_PROVIDER_ACCOUNT, vars(tenant))
        ids = {**vars(tenant), "invoice_id": insert_invoice(connection, tenant)}
        connection.execute(_ATTEMPT, ids)
        with pytest.raises(DBAPIError, match="payment_attempt_live"):
            connection.execute(_ATTEMPT, ids)


@pytest.mark.parametrize(
    ("starts", "released", "is_refused"),
    [(10, False, True), (11, False, True), (12, False, False), (11, True, False)],
    ids=["the same time", "a part of it", "the time after", "a part that was given back"],
)
def test_hall_that_is_taken_is_refused(
    each_database_url: str, starts: int, released: bool, is_refused: bool
) -> None:
    with owner_engine(each_database_url).connect() as connection:
        tenant = create_tenant(connection, "one.example")
        connection.execute(_HALL, vars(tenant))
        connection.execute(_BLACKOUT, {**vars(tenant), "starts": 10, "released_at": None})
        second = {**vars(tenant), "starts": starts, "released_at": "infinity" if released else None}
        if is_refused:
            with pytest.raises(IntegrityError, match="occupancy_never_twice"):
                connection.execute(_BLACKOUT, second)
        else:
            connection.execute(_BLACKOUT, second)


_HALL = text("""
    INSERT INTO hall (id, studio_id, name, capacity, hours) VALUES (:studio_id, :studio_id, 'Red', 1, '[]')
""")
_BLACKOUT = text("""
    INSERT INTO occupancy (id, studio_id, hall_id, kind, starts_at, ends_at, created_at, released_at)
    VALUES (gen_random_uuid(), :studio_id, :studio_id, 'blackout',
        date '2026-11-21' + make_interval(hours => :starts),
        date '2026-11-21' + make_interval(hours => :starts + 2), now(), CAST(:released_at AS timestamptz))
""")
_PROVIDER_ACCOUNT = text("""
    INSERT INTO provider_account (id, studio_id, provider, public_id, sealed_secret, api_url,
        widget_script_url, is_test)
    VALUES (:studio_id, :studio_id, 'cloudpayments', 'pk', '', '', '', true)
""")
_ATTEMPT = text("""
    INSERT INTO payment_attempt (id, studio_id, customer_id, invoice_id, provider_account_id, method, state,
        version, head_hash, amount_minor, currency, return_url, created_at, updated_at)
    VALUES (gen_random_uuid(), :studio_id, :customer_id, :invoice_id, :studio_id, 'widget', 'intent', 1, '',
        100, 'RUB', '', now(), now())
""")
