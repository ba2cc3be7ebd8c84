"""A made past is one that the product could have left."""

from datetime import UTC, datetime

import psycopg
import pytest

from benchmarks.history import fill_history
from benchmarks.subjects import Subject, create_studios
from storage.database import create_role_engine
from storage.verification import ROLE, verify
from tests.databases import Databases, owner_engine

INVOICE_COUNT = 2_000
ENDS_AT = datetime(2026, 11, 1, tzinfo=UTC)
STUDIO_ID = Subject(0).id("studio")
# It has no outbox, and its hashes are those of nothing.
NOT_MADE = {"always_sent_work_has_its_task", "always_step_is_announced", "chain_of_hashes"}


def past(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT id, state, number, created_at FROM invoice ORDER BY id").fetchall()


def test_made_past_keeps_all_invariants_but_those_of_what_it_does_not_make(database_url: str) -> None:
    with owner_engine(database_url).begin() as connection:
        create_studios(connection)
    history = fill_history(database_url, STUDIO_ID, INVOICE_COUNT, ends_at=ENDS_AT)
    assert history.counts["invoice"] == INVOICE_COUNT
    engine = create_role_engine(database_url, ROLE, "test")
    report = verify(engine, settled=True)
    engine.dispose()
    assert {check.name for check in report.violations} == NOT_MADE


def test_same_arguments_make_the_same_past_in_two_databases(databases: Databases) -> None:
    made = []
    for _ in range(2):
        with databases.fresh() as url:
            with owner_engine(url).begin() as connection:
                create_studios(connection)
            fill_history(url, STUDIO_ID, 100, ends_at=ENDS_AT)
            made.append(past(url))
    assert made[0] == made[1]
    assert len(made[0]) == 100


def test_studio_without_a_price_is_refused_and_left_as_it_was(database_url: str) -> None:
    with pytest.raises(ValueError, match="lacks"):
        fill_history(database_url, STUDIO_ID, 100, ends_at=ENDS_AT)
    assert past(database_url) == []
