"""The log of events as a queue of the search index: each row is with one taker, until it is marked."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from storage.database import create_role_engine
from storage.event_log import claim_unindexed, mark_indexed, put_off_indexing
from tests.integration.integrations.hearing import hear
from tests.integration.state_updater.shops import Shop

CLAIM_SECONDS = 60.0


@pytest.fixture
def engine(shop: Shop) -> Iterator[Engine]:
    """As the events process, over a log with the events of one paid subscription."""
    shop.pay()
    hear(shop)
    opened = create_role_engine(shop.url, "billbus_events", "test")
    yield opened
    opened.dispose()


def test_what_is_claimed_is_nobody_elses_and_comes_again_when_the_claim_ends(
    shop: Shop, engine: Engine
) -> None:
    with engine.begin() as first, engine.begin() as second:
        mine = claim_unindexed(first, CLAIM_SECONDS, 2)
        others = claim_unindexed(second, CLAIM_SECONDS, 100)
    assert len(mine) == 2
    assert not {one.event_id for one in mine} & {one.event_id for one in others}
    assert len(mine) + len(others) == shop.one("SELECT count(*) FROM event_log")
    assert [one.sequence for one in others] == sorted(one.sequence for one in others)
    with engine.begin() as connection:
        assert claim_unindexed(connection, CLAIM_SECONDS, 100) == []
    shop.rows("UPDATE event_log SET index_due_at = clock_timestamp()")
    with engine.begin() as connection:
        assert len(claim_unindexed(connection, CLAIM_SECONDS, 100)) == len(mine) + len(others)


def test_what_is_marked_never_comes_again_and_what_is_put_off_later(shop: Shop, engine: Engine) -> None:
    with engine.begin() as connection:
        done, late, *_ = claim_unindexed(connection, CLAIM_SECONDS, 100)
        put_off_indexing(connection, [done.event_id, late.event_id], 3_600, "503")
        mark_indexed(connection, [done.event_id])
        # What has been taken is not put off by who comes late.
        put_off_indexing(connection, [done.event_id], 1, "late")
    rows = "SELECT indexed_at IS NOT NULL, index_problem, index_tries FROM event_log WHERE event_id = :id"
    assert shop.rows(rows, id=done.event_id) == [(True, None, 1)]
    assert shop.rows(rows, id=late.event_id) == [(False, "503", 1)]
    shop.rows("UPDATE event_log SET index_due_at = index_due_at - interval '30 minutes'")
    with engine.begin() as connection:
        again = {one.event_id for one in claim_unindexed(connection, CLAIM_SECONDS, 100)}
    assert not again & {done.event_id, late.event_id}
    shop.rows("UPDATE event_log SET index_due_at = index_due_at - interval '1 hour'")
    with engine.begin() as connection:
        again = {one.event_id for one in claim_unindexed(connection, CLAIM_SECONDS, 100)}
    assert late.event_id in again
    assert done.event_id not in again


def test_hearing_twice_changes_nothing(shop: Shop, engine: Engine) -> None:
    before = shop.rows("SELECT * FROM event_log ORDER BY sequence")
    planned = shop.rows("SELECT * FROM notification ORDER BY id")
    hear(shop)
    assert shop.rows("SELECT * FROM event_log ORDER BY sequence") == before
    assert shop.rows("SELECT * FROM notification ORDER BY id") == planned
    assert planned
