"""Every invariant is empty over a faultless history, and sees the violation that is planted for it."""

from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from state_updater.notices import EVENT_OF_STEP
from tests.integration.verify.booking_plants import BOOKING_PLANTS, NO_VIOLATIONS
from tests.integration.verify.history import History
from tests.integration.verify.plants import PLANTS

ALL_PLANTS = [*PLANTS, *BOOKING_PLANTS]

_PROOFS = text("""
    SELECT table_name FROM information_schema.views
    WHERE table_schema = 'invariant' AND table_name ~ '^(always|settled)_'
""")


def _rows(connection: Connection, view: str) -> list[str]:
    rows = connection.execute(text(f"SELECT subject, fault FROM invariant.{view}"))  # noqa: S608  # our own names
    return [f"{subject}: {fault}" for subject, fault in rows]


def _with_ids(statement: str, history: History) -> str:
    known = vars(history) | vars(history.visits)
    ids = {name: f"'{value}'" for name, value in known.items() if isinstance(value, UUID)}
    return statement.format(**ids)


def _seen_after(history: History, statement: str, view: str) -> list[str]:
    with history.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(_with_ids(statement, history))
        return _rows(connection, view)


def test_every_invariant_is_empty_over_a_faultless_history(history: History) -> None:
    with history.engine.connect() as connection:
        broken = {view: _rows(connection, view) for view in connection.scalars(_PROOFS)}
    assert len(broken) > 50
    assert not {view: rows for view, rows in broken.items() if rows}


def test_every_invariant_has_a_planted_violation(history: History) -> None:
    with history.engine.connect() as connection:
        assert {view for view, _ in ALL_PLANTS} == set(connection.scalars(_PROOFS))


@pytest.mark.parametrize(("view", "statement"), ALL_PLANTS, ids=[view for view, _ in ALL_PLANTS])
def test_invariant_sees_its_planted_violation(history: History, view: str, statement: str) -> None:
    seen = _seen_after(history, statement, view)
    assert seen
    assert all(seen), "a fault that is NULL tells nobody anything"


@pytest.mark.parametrize(("view", "statement"), NO_VIOLATIONS, ids=[view for view, _ in NO_VIOLATIONS])
def test_what_only_looks_like_a_violation_is_none(history: History, view: str, statement: str) -> None:
    assert _seen_after(history, statement, view) == []


def test_every_view_says_what_it_proves(history: History) -> None:
    silent = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'invariant'::regnamespace"
        " AND coalesce(obj_description(oid, 'pg_class'), '') !~ '\\.$'"
    )
    with history.engine.connect() as connection:
        assert connection.scalars(silent).all() == []


def test_announced_steps_are_those_of_the_state_updater(history: History) -> None:
    rows = text("SELECT machine, trigger, kind FROM invariant.announcement")
    with history.engine.connect() as connection:
        told = {(machine, trigger): kind for machine, trigger, kind in connection.execute(rows)}
    assert told == EVENT_OF_STEP
