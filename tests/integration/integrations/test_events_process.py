"""The events process as it runs: everything logged once, nobody pays for another's fault, nothing lost."""

from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from uuid import UUID

import pytest

from bus.events import SubscriptionEvent
from kit.ids import new_id
from runtime.postgres import PostgresServer
from tests.integration.integrations.hearing import EVENTS, RELAY, SETTLE_SECONDS_MAX, House, envelope, until
from tests.integration.state_updater.shops import Shop

pytestmark = pytest.mark.slow


def ending(shop: Shop, subscription_id: UUID | None = None) -> SubscriptionEvent:
    """An event that both subscriptions want."""
    return SubscriptionEvent(
        studio_id=shop.studio_id,
        customer_id=shop.customer_id,
        occurred_at=datetime.now(UTC),
        subscription_id=subscription_id or new_id(),
    )


def test_what_was_applied_is_logged_and_planned_for(house: House) -> None:
    paid = house.shop.pay()
    house.start(RELAY)
    house.start(EVENTS)
    until(lambda: house.sent() and set(house.logged()) == house.sent(), "all events are logged")
    until(lambda: house.planned(), "a message is planned")
    logged = house.logged().values()
    assert ("payment.succeeded", False, paid.attempt_id, "test") in logged
    assert ("invoice.paid", False, paid.invoice_id, "test") in logged
    assert ("subscription.activated", False, paid.subscription_id, "test") in logged
    assert not any(row[1] for row in logged)
    house.stop()
    assert house.dead() == set()


@pytest.mark.parametrize("point", ["event_after_receive", "event_after_commit"])
def test_a_death_with_events_in_hand_loses_nothing_and_does_nothing_twice(house: House, point: str) -> None:
    """It dies with its first group in hand, and started again with its second."""
    house.shop.pay()
    house.start(RELAY)
    for nth in ("1", "2"):
        dying = house.start(EVENTS, CRASH_AT=f"{point}:{nth}")
        assert dying.wait(SETTLE_SECONDS_MAX) == -9
        # Nobody waits a minute for the lease of the dead.
        house.shop.rows("UPDATE inbox SET due_at = clock_timestamp() WHERE state = 'waiting'")
    house.start(EVENTS)
    until(lambda: set(house.logged()) == house.sent(), "all events are logged")
    first = house.planned()
    # What comes behind shows that those before it were done with.
    last = envelope(ending(house.shop), "subscription.ending")
    house.publish([last])
    until(lambda: last.message_id in house.logged(), "the last is logged")
    assert set(house.logged()) == house.sent() | {last.message_id}
    house.stop()
    assert house.dead() == set()
    assert set(first) <= set(house.planned())
    assert len(set(house.planned())) == len(house.planned())


def test_an_event_again_under_its_id_is_logged_once(house: House) -> None:
    event = envelope(ending(house.shop), "subscription.ending")
    house.start(EVENTS)
    house.publish([event])
    until(lambda: event.message_id in house.logged(), "it is logged")
    before = house.shop.rows("SELECT sequence, received_at FROM event_log")
    house.shop.rows("DELETE FROM inbox WHERE state = 'done'")
    later = envelope(ending(house.shop), "subscription.ending")
    house.publish([event, later])
    until(lambda: later.message_id in house.logged(), "the later one is logged")
    assert len(house.logged()) == 2
    assert house.shop.rows("SELECT sequence, received_at FROM event_log ORDER BY sequence")[:1] == before


def test_what_cannot_be_read_or_written_is_a_dead_letter_and_the_others_go_on(house: House) -> None:
    first, last = (envelope(ending(house.shop), "subscription.ending") for _ in range(2))
    unreadable = replace(envelope(ending(house.shop), "subscription.ending"), body=b'{"studio_id": 7}')
    of_tomorrow = replace(envelope(ending(house.shop), "subscription.ending"), schema_version=2)
    if house.amqp_url is None:
        # More than an index of the log can take; RabbitMQ does not take it either.
        alone = envelope(ending(house.shop), "subscription.ending", correlation_id=token_hex(4_500))
    else:
        # The embedded bus does not take an event of a studio that nobody knows.
        stranger = ending(house.shop).model_copy(update={"studio_id": new_id()})
        alone = envelope(stranger, "subscription.ending")
    poison = [unreadable, of_tomorrow, alone]
    # The process starts last, so that all of them are one group.
    house.publish([first, *poison, last])
    house.start(EVENTS)
    until(lambda: {first.message_id, last.message_id} <= set(house.logged()), "the good ones are logged")
    wanted = {("integrations", each.message_id) for each in poison}
    until(lambda: wanted <= house.dead(), "the others are dead letters")
    until(lambda: ("notifications", unreadable.message_id) in house.dead(), "for everybody who heard them")
    assert set(house.logged()) == {first.message_id, last.message_id}
    house.stop()


def test_two_processes_share_the_events(house: House) -> None:
    house.start(EVENTS)
    house.start(EVENTS)
    events = [envelope(ending(house.shop), "subscription.ending") for _ in range(300)]
    for start in range(0, len(events), 10):
        house.publish(events[start : start + 10])
    until(lambda: len(house.logged()) == len(events), "all are logged")
    house.stop()
    assert house.dead() == set()


def test_with_postgres_away_events_are_held_and_none_is_rejected(
    own_house: House, own_postgres: PostgresServer
) -> None:
    own_house.start(EVENTS)
    before = [envelope(ending(own_house.shop), "subscription.ending") for _ in range(5)]
    own_house.publish(before)
    until(lambda: len(own_house.logged()) == len(before), "the first are logged")
    own_house.shop.close()
    own_postgres.stop()
    meanwhile = []
    if own_house.amqp_url is not None:
        meanwhile = [envelope(ending(own_house.shop), "subscription.ending") for _ in range(5)]
        own_house.publish(meanwhile)
    own_postgres.start()
    own_house.shop.reconnect()
    after = [envelope(ending(own_house.shop), "subscription.ending") for _ in range(5)]
    own_house.publish(after)
    wanted = {each.message_id for each in (*before, *meanwhile, *after)}
    until(lambda: set(own_house.logged()) == wanted, "all are logged")
    own_house.stop()
    assert own_house.dead() == set()


def test_a_thread_that_dies_takes_the_process_with_it(house: House) -> None:
    """A grant that is not there is nobody's message: the supervisor starts again, and nothing is rejected."""
    house.shop.rows("REVOKE INSERT ON event_log FROM billbus_events")
    event = envelope(ending(house.shop), "subscription.ending")
    house.publish([event])
    assert house.start(EVENTS).wait(SETTLE_SECONDS_MAX) == 1
    assert house.dead() == set()
    house.shop.rows("GRANT INSERT ON event_log TO billbus_events")
    house.shop.rows("UPDATE inbox SET due_at = clock_timestamp() WHERE state = 'waiting'")
    house.start(EVENTS)
    until(lambda: event.message_id in house.logged(), "it is logged")
    house.stop()
