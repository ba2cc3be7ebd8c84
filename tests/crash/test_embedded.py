"""Processes killed at the points where the embedded bus differs, and Postgres under load."""

from tests.crash.load import Load
from tests.crash.points import (
    API,
    APPLYING,
    HEARING,
    RELAY,
    WORKER,
    Point,
    play,
)
from tests.crash.stack import Stack
from tests.crash.story import verify_settled

ON_RABBITMQ = False
POINTS = (
    Point(API, "after_journal_commit", "subscribe"),
    *HEARING,
    *APPLYING,
    Point(RELAY, "relay_after_select", "pay"),
    Point(RELAY, "relay_after_publish", "refund"),
    # A task in hand is lost with its worker here; the sweep finds it.
    Point(WORKER, "before_call_record", "pay"),
    Point(WORKER, "after_call", "refund"),
)


def test_a_death_loses_nothing_and_does_nothing_twice(stack: Stack, point: Point) -> None:
    play(stack, point, stack.consumers[0])


def test_postgres_stopped_at_once_under_load_loses_nothing(stack: Stack) -> None:
    with Load(stack) as load:
        load.wait_for_more(2)
        stack.postgres.kill()
        stack.postgres.start()
        load.wait_for_more(2)
    verify_settled(stack)
    load.check()
