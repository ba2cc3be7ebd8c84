"""The relay: everything leaves, in order, under the same id however often it crashes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from bus.embedded.commands import EmbeddedCommandPublisher
from bus.port import BusAway, Consumer, Envelope, Publisher
from kit.errors import Transient
from kit.ids import new_id
from state_updater import relay as relay_module
from state_updater.relay import LONG_QUEUE, Relay
from storage.database import connect_as, create_role_engine
from tests.databases import Databases
from tests.integration.state_updater.shops import Shop


class Killed(BaseException):
    """Stands for kill -9: no handler of the product sees it."""


@dataclass
class Ends:
    """A bus and a task broker that remember what they were given, or are away."""

    published: list[Envelope] = field(default_factory=list)
    tasks: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    depth: int = 0
    is_away: bool = False
    tasks_away: bool = False
    carries_commands: bool = True

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.is_away:
            raise BusAway(reason="test")
        self.published.extend(envelopes)

    def send(self, name: str, arguments: Mapping[str, str]) -> None:
        if self.tasks_away:
            raise Transient("task_broker_away")
        self.tasks.append((name, dict(arguments)))

    def close(self) -> None:
        pass

    def command_publisher(self) -> Publisher:
        return self

    def event_publisher(self) -> Publisher:
        return self

    def command_consumer(self, index: int, count: int) -> Consumer:
        raise AssertionError("a relay receives nothing")

    def event_consumer(self, consumer: str) -> Consumer:
        raise AssertionError("a relay receives nothing")

    def queue_depths(self) -> dict[str, int]:
        return {"billbus.commands.0": self.depth}


@pytest.fixture
def shop(databases: Databases) -> Iterator[Shop]:
    """Alone in its database: the relay sends for everybody."""
    with databases.fresh() as url:
        opened = Shop(url)
        opened.set_up()
        yield opened
        opened.close()


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def relay(shop: Shop, ends: Ends) -> Iterator[Relay]:
    engine = create_role_engine(shop.url, "billbus_relay", "test")
    yield Relay(engine, partial(connect_as, shop.url, "billbus_relay", "test"), ends, ends, 30.0, 5.0)
    engine.dispose()


def _waiting(shop: Shop) -> list[UUID]:
    return [row[0] for row in shop.rows("SELECT id FROM outbox WHERE published_at IS NULL ORDER BY sequence")]


def test_the_outbox_leaves_in_its_order_and_leaves_once(shop: Shop, relay: Relay, ends: Ends) -> None:
    for _ in range(3):
        shop.pay()
    events = [row[0] for row in shop.rows("SELECT id FROM outbox WHERE channel = 'event' ORDER BY sequence")]
    assert relay.send_outbox() == len(events)
    assert [each.message_id for each in ends.published] == events
    assert _waiting(shop) == []
    assert relay.send_outbox() == 0


def test_tasks_are_sent_by_ids_only(shop: Shop, relay: Relay, ends: Ends) -> None:
    _, _, attempt_id = shop.offer("link")
    relay.send_outbox()
    arguments = {"attempt_id": str(attempt_id), "studio_id": str(shop.studio_id), "correlation_id": "test"}
    assert ends.tasks == [("start_payment", arguments)]


def test_events_carry_ids_and_amounts_only(shop: Shop, relay: Relay, ends: Ends) -> None:
    shop.pay()
    relay.send_outbox()
    said = b"".join(each.body for each in ends.published)
    assert {each.kind for each in ends.published} >= {
        "invoice.paid",
        "subscription.activated",
        "payment.succeeded",
    }
    assert b"411111" not in said
    assert b"@" not in said
    assert all(each.causation_id is not None and each.studio_id == shop.studio_id for each in ends.published)


@pytest.mark.parametrize("point", ["relay_after_select", "relay_after_publish"])
def test_after_a_crash_the_same_messages_leave_again_under_the_same_ids(
    shop: Shop, relay: Relay, ends: Ends, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def crash(name: str) -> None:
        if name == point:
            raise Killed

    shop.subscribe()
    waiting = _waiting(shop)
    monkeypatch.setattr(relay_module, "crash_point", crash)
    with pytest.raises(Killed):
        relay.send_outbox()
    monkeypatch.undo()
    before = [each.message_id for each in ends.published]
    assert before == ([] if point == "relay_after_select" else waiting)
    assert relay.send_outbox() == 0  # claimed by the dead one, for a while
    shop.rows("UPDATE outbox SET claimed_until = clock_timestamp() - interval '1 second'")
    assert relay.send_outbox() == len(waiting)
    assert [each.message_id for each in ends.published[len(before) :]] == waiting


@pytest.mark.parametrize("away", ["is_away", "tasks_away"])
def test_what_a_broker_did_not_take_is_given_back_at_once(
    shop: Shop, relay: Relay, ends: Ends, away: str
) -> None:
    shop.offer("link")
    waiting = _waiting(shop)
    setattr(ends, away, True)
    with pytest.raises(Transient):
        relay.send_outbox()
    assert _waiting(shop) == waiting
    setattr(ends, away, False)
    assert relay.send_outbox() == len(waiting)


def test_a_row_that_commits_late_is_not_skipped(shop: Shop, relay: Relay, ends: Ends) -> None:
    """Sequences commit out of order: a lower number may appear after a higher one has left."""
    with shop.owner.connect() as slow, slow.begin():
        late = new_id()
        slow.exec_driver_sql(
            "INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id,"
            " causation_id, created_at) VALUES (%s, %s, 'event', 'invoice.opened', 1, '{}', 'c', %s, now())",
            (late, shop.studio_id, new_id()),
        )
        other = Shop(shop.url, studio_id=shop.studio_id, customer_id=shop.customer_id, price_id=shop.price_id)
        other.subscribe()
        relay.send_outbox()
        assert late not in [each.message_id for each in ends.published]
    relay.send_outbox()
    assert ends.published[-1].message_id == late
    other.close()


def _due(shop: Shop, command_id: UUID) -> tuple[timedelta, int]:
    """(how long until it is published again, how often it was)"""
    ((pause, count),) = shop.rows(
        "SELECT republish_at - clock_timestamp(), publish_count FROM command_journal WHERE command_id = :id",
        id=command_id,
    )
    return pause, count


def test_an_unapplied_command_is_published_again_at_doubled_pauses(
    shop: Shop, relay: Relay, ends: Ends
) -> None:
    received = shop.accept(shop.issue(new_id()))
    relay.republish_commands()
    assert ends.published == []
    pauses = []
    for number in range(1, 9):
        shop.rows("UPDATE command_journal SET republish_at = clock_timestamp()")
        relay.republish_commands()
        pause, count = _due(shop, received.command_id)
        assert count == number
        pauses.append(round(pause.total_seconds()))
    assert pauses == [15, 30, 60, 120, 240, 480, 600, 600]
    assert {each.message_id for each in ends.published} == {received.command_id}
    sent = ends.published[0]
    assert (sent.kind, sent.route) == ("IssueInvoice", str(received.command.partition))  # type: ignore[union-attr]


def test_commands_are_published_again_in_the_order_of_their_acceptance(
    shop: Shop, relay: Relay, ends: Ends
) -> None:
    accepted = [shop.accept(shop.issue(new_id())).command_id for _ in range(20)]
    shop.rows("UPDATE command_journal SET republish_at = clock_timestamp() - random() * interval '1 second'")
    relay.republish_commands()
    assert [each.message_id for each in ends.published] == accepted


def test_nothing_is_published_again_while_a_queue_is_long_or_where_the_journal_is_the_queue(
    shop: Shop, relay: Relay, ends: Ends
) -> None:
    shop.accept(shop.issue(new_id()))
    shop.rows("UPDATE command_journal SET republish_at = clock_timestamp()")
    ends.depth = LONG_QUEUE + 1
    relay.republish_commands()
    ends.depth, ends.carries_commands = 0, False
    relay.republish_commands()
    assert ends.published == []
    ends.carries_commands = True
    relay.republish_commands()
    assert len(ends.published) == 1


def test_an_answered_command_is_not_published_again(shop: Shop, relay: Relay, ends: Ends) -> None:
    shop.subscribe()
    shop.rows("UPDATE command_journal SET republish_at = clock_timestamp()")
    relay.republish_commands()
    assert ends.published == []


def test_commands_that_the_bus_did_not_take_stay_for_the_next_time(
    shop: Shop, relay: Relay, ends: Ends
) -> None:
    received = shop.accept(shop.issue(new_id()))
    shop.rows("UPDATE command_journal SET republish_at = clock_timestamp()")
    ends.is_away = True
    relay.republish_commands()
    pause, count = _due(shop, received.command_id)
    assert (pause <= timedelta(), count) == (True, 0)
    assert shop.one("SELECT state FROM command_journal") == "accepted"


def test_a_publisher_of_the_embedded_bus_needs_no_more_than_the_senders_role(shop: Shop) -> None:
    publisher: Any = EmbeddedCommandPublisher(partial(connect_as, shop.url, "billbus_worker", "test"))
    publisher.publish([Envelope(new_id(), "0", "IssueInvoice", 1, b"{}", "c", shop.studio_id)])
    publisher.close()
