"""What only Postgres as a bus has: due times, leases, and a journal row behind every delivery."""

import time
from contextlib import closing
from uuid import UUID

import pytest

from bus.embedded.events import EmbeddedEventConsumer
from tests.contract.bus.test_contract import ids, receive_all
from tests.contract.bus.transports import EmbeddedTransport, command, event

pytestmark = pytest.mark.slow


def test_a_command_that_was_put_off_comes_again_when_it_is_due(
    embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    bus = embedded_transport.commands
    put_off, next_one = command(0, studio_id), command(0, studio_id)
    with closing(bus.command_publisher()) as publisher, closing(bus.command_consumer(0, 1)) as consumer:
        embedded_transport.send(publisher, [put_off])
        arrived = receive_all(consumer, 1)
        embedded_transport.execute(
            "UPDATE command_journal SET publish_count = 1,"
            " republish_at = clock_timestamp() + interval '1.5 seconds'"
        )
        consumer.acknowledge(arrived)
        embedded_transport.send(publisher, [next_one])
        early = consumer.receive(10, 0.5)
        embedded_transport.finish(consumer, early)
        late = consumer.receive(10, 4.0)
    assert ids(early) == [next_one.message_id]
    assert ids(late) == [put_off.message_id]
    assert late[0].redelivered


def test_a_rejected_command_is_parked_in_the_journal_with_its_reason(
    embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    bus = embedded_transport.commands
    with closing(bus.command_publisher()) as publisher, closing(bus.command_consumer(0, 1)) as consumer:
        embedded_transport.send(publisher, [command(0, studio_id)])
        consumer.reject(receive_all(consumer, 1)[0], "cannot be read")
    [row] = embedded_transport.execute("SELECT state, problem FROM command_journal")
    assert row == ("parked", {"code": "rejected", "reason": "cannot be read"})


def test_an_event_comes_again_when_the_lease_of_its_taker_ends(
    embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    connect = embedded_transport.connect_as("billbus_relay")
    paid = event("invoice.paid", studio_id)
    with closing(embedded_transport.events.event_publisher()) as publisher:
        publisher.publish([paid])
    with closing(EmbeddedEventConsumer(connect, "letters", lease_seconds=1.0)) as taker:
        assert ids(taker.receive(10, 2.0)) == [paid.message_id]
        with closing(EmbeddedEventConsumer(connect, "letters", lease_seconds=1.0)) as other:
            time.sleep(0.6)
            taker.keep_alive()
            assert other.receive(10, 0.7) == []
            [again] = other.receive(10, 3.0)
            assert again.redelivered
            other.acknowledge([again])
            assert other.receive(10, 1.2) == []


def test_an_event_sent_twice_comes_once(embedded_transport: EmbeddedTransport, studio_id: UUID) -> None:
    paid = event("invoice.paid", studio_id)
    bus = embedded_transport.events
    with closing(bus.event_publisher()) as publisher, closing(bus.event_consumer("letters")) as consumer:
        publisher.publish([paid, paid])
        consumer.acknowledge(consumer.receive(10, 2.0))
        publisher.publish([paid])
        assert consumer.receive(10, 0.5) == []
