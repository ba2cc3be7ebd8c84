"""Processes killed at every named point, and servers under load, over RabbitMQ."""

import time
import uuid

import pytest

from tests.crash.load import Load
from tests.crash.points import (
    ACCEPTING,
    APPLYING,
    BOOKING,
    CALLING,
    CALLING_AFTER_A_CUT,
    CONFIRMING,
    HEARING,
    RELAYING,
    Point,
    arm,
    play,
)
from tests.crash.stack import QUEUE_AGE_SECONDS, Stack
from tests.crash.story import Fault, Story, set_faults, verify_settled
from tests.crash.studio import PRICE_MINOR

ON_RABBITMQ = True
POINTS = (
    *ACCEPTING,
    *HEARING,
    *CONFIRMING,
    *APPLYING,
    *RELAYING,
    *CALLING,
    *CALLING_AFTER_A_CUT,
    *BOOKING,
)
TAKEOVER_SECONDS_MAX = 20.0


def test_a_death_loses_nothing_and_does_nothing_twice(stack: Stack, point: Point) -> None:
    play(stack, point, stack.consumers[0])


def test_commands_are_accepted_while_the_broker_is_dead_and_applied_when_it_is_back(stack: Stack) -> None:
    assert stack.rabbit is not None
    age = stack.queues_declared_at + QUEUE_AGE_SECONDS
    with Story(stack) as story:
        wish = {"price_id": str(stack.studio.price_id)}
        with Load(stack) as load:
            stack.until(lambda: time.monotonic() > age or None, "old queues", QUEUE_AGE_SECONDS + 1)
            load.wait_for_more(3)
            stack.rabbit.kill()
            key = uuid.uuid4().hex
            assert story.customer.send("/subscriptions", wish, key).status_code == 202
            stack.rabbit.start()
            stack.until(
                lambda: True if story.customer.send("/subscriptions", wish, key).status_code == 201 else None,
                "the command that was accepted meanwhile",
                30.0,
            )
            load.wait_for_more(3)
        verify_settled(stack)
        load.check()
        story.check()


def test_postgres_stopped_at_once_under_load_loses_nothing(stack: Stack) -> None:
    with Load(stack) as load:
        for _ in range(2):
            load.wait_for_more(2)
            stack.postgres.kill()
            stack.postgres.start()
        load.wait_for_more(3)
    verify_settled(stack)
    load.check()


def test_a_stand_by_takes_the_partitions_of_a_killed_consumer(stack: Stack) -> None:
    victim = stack.consumers[-1]
    arm(stack, victim, "after_writes:1", stays_dead=True)
    with Story(stack, victim) as story:
        for stage in ("subscribe", "pay", "page", "refund"):
            story.play(stage)
        assert stack.deaths == [victim]
        verify_settled(stack)
        story.check()


@pytest.mark.parametrize("where", ["after_receive", "inside_transaction"])
def test_a_consumer_that_wakes_up_after_a_takeover_does_nothing_twice(stack: Stack, where: str) -> None:
    victim = stack.consumers[0]
    with Story(stack, victim) as story:
        story.play("subscribe")
        arm(stack, victim, f"{where}:1:stop")
        wish = {"provider": "cloudpayments", "method": "link"}
        story.customer.send(f"/invoices/{story.invoice_id}/pay", wish, uuid.uuid4().hex)
        stack.until(lambda: stack.is_stopped(victim) or None, "a stop", TAKEOVER_SECONDS_MAX)
        stack.close_bus_connections(victim)
        stack.until(lambda: _has_come_again(stack), "the takeover", TAKEOVER_SECONDS_MAX)
        stack.resume(victim)
        for stage in ("pay", "page"):
            story.play(stage)
        verify_settled(stack)
        story.check()


def _has_come_again(stack: Stack) -> bool | None:
    """The stand-by has applied the group, or waits for the locks that the stopped one holds."""
    waiting = "SELECT 1 FROM command_journal WHERE state = 'accepted'"
    blocked = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%command_journal%%'"
    )
    return None if stack.ask(waiting) and not stack.ask(blocked) else True


def test_a_second_capture_of_one_page_is_named_as_unapplied(stack: Stack) -> None:
    with Story(stack) as story:
        for stage in ("subscribe", "pay"):
            story.play(stage)
        set_faults(stack, Fault("page/pay", "pay_twice"))
        story.play("page")
        report = verify_settled(stack)
        with pytest.raises(AssertionError, match="captured at the twin"):
            story.check()
        captured = {one["transaction_id"] for one in story.captures()}
        (waiting,) = [one for one in report.unapplied if one.transaction_id in captured]
        assert (waiting.amount_minor, waiting.refunded_minor) == (PRICE_MINOR, 0)
