"""What every bus promises, held against both transports on real servers."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from uuid import UUID

import pytest

from bus.port import BusAway, Consumer, Delivery, Envelope, Publisher
from tests.contract.bus.transports import STAND_BY_DELAY_SECONDS, Transport, command, event

pytestmark = pytest.mark.slow

ARRIVAL_SECONDS = 10.0
QUIET_SECONDS = 0.4
RECOVERY_SECONDS = 30.0
# A publisher's deadline is 2 s; the rest is a busy machine.
FAILURE_SECONDS = 3.0


def receive_all(consumer: Consumer, count: int, limit: int = 100) -> list[Delivery]:
    """At least `count` deliveries, or what came until the time was over."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    deliveries: list[Delivery] = []
    while len(deliveries) < count and time.monotonic() < deadline:
        deliveries += consumer.receive(limit, 0.2)
    return deliveries


def ids(messages: Sequence[Delivery | Envelope]) -> list[UUID | None]:
    return [one.message_id for one in messages]


def publish_when_back(transport: Transport, publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
    """Repeats, as the relay does, until the bus has taken them."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return transport.send(publisher, envelopes)
        except BusAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextmanager
def child_consumer(transport: Transport, index: int, count: int) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-m", "tests.contract.bus.consuming_process", *transport.child_arguments()]
    with subprocess.Popen([*program, str(index), str(count)], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            yield child
        finally:
            child.kill()


@pytest.fixture
def publisher(transport: Transport) -> Iterator[Publisher]:
    with closing(transport.commands.command_publisher()) as publisher:
        yield publisher


@pytest.fixture
def consumer(transport: Transport) -> Iterator[Consumer]:
    with closing(transport.commands.command_consumer(0, 1)) as consumer:
        yield consumer


class TestBusContract:
    def test_a_command_arrives_as_it_was_sent(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = command(5, studio_id, body=b'{"name": "\xd1\x8f"}')
        transport.send(publisher, [sent])
        [arrived] = receive_all(consumer, 1)
        assert (arrived.message_id, arrived.kind, arrived.schema_version) == (sent.message_id, sent.kind, 1)
        assert (arrived.body, arrived.correlation_id) == (sent.body, sent.correlation_id)
        assert not arrived.redelivered

    def test_commands_of_a_partition_arrive_in_the_order_of_sending(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = [command(number % 4, studio_id) for number in range(120)]
        transport.send(publisher, sent[:70])
        transport.send(publisher, sent[70:])
        arrived = ids(receive_all(consumer, len(sent), limit=25))
        assert len(arrived) == len(sent)
        for partition in range(4):
            wanted = ids([one for one in sent if one.route == str(partition)])
            assert [one for one in arrived if one in set(wanted)] == wanted

    def test_no_more_than_the_limit_is_handed_over(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = [command(3, studio_id) for _ in range(7)]
        transport.send(publisher, sent)
        time.sleep(QUIET_SECONDS)
        groups = [consumer.receive(3, 1.0) for _ in range(3)]
        assert [len(group) for group in groups] == [3, 3, 1]
        assert ids([one for group in groups for one in group]) == ids(sent)

    def test_receive_ends_after_its_wait_when_nothing_comes(self, consumer: Consumer) -> None:
        began_at = time.monotonic()
        assert consumer.receive(10, 0.5) == []
        assert 0.4 < time.monotonic() - began_at < 1.5

    def test_receive_wakes_when_something_comes(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        transport.send(publisher, [command(0, studio_id)])  # both ends are up when it has arrived
        transport.finish(consumer, receive_all(consumer, 1))
        sent = command(1, studio_id)
        later = threading.Timer(0.6, transport.send, [publisher, [sent]])
        later.start()
        began_at = time.monotonic()
        arrived = consumer.receive(10, 5.0)
        later.join()
        assert ids(arrived) == [sent.message_id]
        assert time.monotonic() - began_at < 1.0

    def test_what_is_acknowledged_never_comes_again(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = [command(number % 8, studio_id) for number in range(50)]
        transport.send(publisher, sent)
        transport.finish(consumer, receive_all(consumer, len(sent)))
        consumer.close()
        with closing(transport.commands.command_consumer(0, 1)) as successor:
            assert successor.receive(100, 1.0) == []

    def test_what_is_not_acknowledged_comes_again_to_the_successor(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = [command(2, studio_id) for _ in range(10)]
        transport.send(publisher, sent)
        arrived = receive_all(consumer, len(sent))
        transport.finish(consumer, arrived[:4])
        consumer.close()
        with closing(transport.commands.command_consumer(0, 1)) as successor:
            again = receive_all(successor, 6)
        assert ids(again) == ids(sent[4:])

    def test_what_is_in_hand_is_not_handed_out_twice(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        transport.send(publisher, [command(2, studio_id)])
        receive_all(consumer, 1)
        assert consumer.receive(10, 1.2) == []

    def test_a_command_sent_twice_keeps_its_id(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = command(6, studio_id)
        transport.send(publisher, [sent])
        transport.send(publisher, [sent])
        arrived = receive_all(consumer, 2) if transport.name == "rabbit" else receive_all(consumer, 1)
        assert set(ids(arrived)) == {sent.message_id}

    def test_a_rejected_command_is_a_dead_letter_and_never_comes_again(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        sent = [command(4, studio_id) for _ in range(5)]
        transport.send(publisher, sent)
        arrived = receive_all(consumer, 5)
        consumer.reject(arrived[2], "cannot be read")
        transport.finish(consumer, [*arrived[:2], *arrived[3:]])
        consumer.close()
        with closing(transport.commands.command_consumer(0, 1)) as successor:
            assert successor.receive(100, 1.0) == []
        assert transport.dead_letters() == {sent[2].message_id}

    def test_two_consumers_share_the_partitions(
        self, transport: Transport, publisher: Publisher, studio_id: UUID
    ) -> None:
        with ExitStack() as stack:
            consumers = [
                stack.enter_context(closing(transport.commands.command_consumer(index, 2)))
                for index in range(2)
            ]
            sent = [command(number % 8, studio_id) for number in range(32)]
            transport.send(publisher, sent)
            for index, consumer in enumerate(consumers):
                wanted = {one.message_id for one in sent if int(one.route) % 2 == index}
                assert set(ids(receive_all(consumer, len(wanted)))) == wanted

    def test_the_stand_by_takes_over_what_a_killed_process_had_in_hand(
        self, transport: Transport, publisher: Publisher, studio_id: UUID
    ) -> None:
        sent = [command(0, studio_id) for _ in range(6)]
        with child_consumer(transport, 0, 2) as child:
            transport.send(publisher, sent[:3])
            with closing(transport.commands.command_consumer(1, 2)) as stand_by:
                assert stand_by.receive(100, STAND_BY_DELAY_SECONDS + 1) == []
                transport.send(publisher, sent[3:])
                assert child.stdout is not None
                assert [UUID(child.stdout.readline().strip()) for _ in sent] == ids(sent)
                assert stand_by.receive(100, QUIET_SECONDS) == []
                child.kill()
                arrived = receive_all(stand_by, len(sent))
        assert ids(arrived) == ids(sent)

    def test_an_owner_that_returns_has_its_partitions_back(
        self, transport: Transport, publisher: Publisher, studio_id: UUID
    ) -> None:
        with closing(transport.commands.command_consumer(1, 2)) as stand_by:
            transport.send(publisher, [command(0, studio_id)])
            transport.finish(stand_by, receive_all(stand_by, 1))
            with closing(transport.commands.command_consumer(0, 2)) as owner:
                deadline = time.monotonic() + ARRIVAL_SECONDS
                mine: list[Delivery] = []
                while not mine and time.monotonic() < deadline:
                    transport.send(publisher, [command(0, studio_id)])
                    transport.finish(stand_by, stand_by.receive(10, 0.2))
                    mine = owner.receive(10, 0.2)
        assert mine

    def test_a_consumer_resumes_by_itself_after_the_server_was_killed(
        self, transport: Transport, publisher: Publisher, consumer: Consumer, studio_id: UUID
    ) -> None:
        before = command(1, studio_id)
        transport.send(publisher, [before])
        [in_hand] = receive_all(consumer, 1)
        time.sleep(transport.age_seconds)
        transport.kill_server()
        began_at = time.monotonic()
        assert consumer.receive(10, QUIET_SECONDS) == []
        with pytest.raises(BusAway):
            publisher.publish([before])
        assert time.monotonic() - began_at < QUIET_SECONDS + FAILURE_SECONDS
        transport.start_server()
        after = command(1, studio_id)
        publish_when_back(transport, publisher, [after])
        consumer.acknowledge([in_hand])  # a receipt of a connection that is gone
        arrived = set(ids(receive_all(consumer, 2)))
        assert arrived == {before.message_id, after.message_id}

    def test_an_event_comes_to_each_subscriber_that_wants_it_once(
        self, transport: Transport, studio_id: UUID
    ) -> None:
        paid, succeeded = event("invoice.paid", studio_id), event("payment.succeeded", studio_id)
        unwanted = event("refund.requested", studio_id)
        with closing(transport.events.event_publisher()) as publisher:
            publisher.publish([paid, succeeded, unwanted])
        for name, wanted in (("bookkeeping", [paid, succeeded]), ("letters", [paid])):
            with closing(transport.events.event_consumer(name)) as consumer:
                arrived = receive_all(consumer, len(wanted))
                assert ids(arrived) == ids(wanted)
                assert arrived[0].body == paid.body
                consumer.acknowledge(arrived)
            with closing(transport.events.event_consumer(name)) as successor:
                assert successor.receive(10, QUIET_SECONDS) == []

    def test_a_rejected_event_is_a_dead_letter_of_its_subscriber_alone(
        self, transport: Transport, studio_id: UUID
    ) -> None:
        paid = event("invoice.paid", studio_id)
        with closing(transport.events.event_publisher()) as publisher:
            publisher.publish([paid])
        with closing(transport.events.event_consumer("letters")) as letters:
            [arrived] = receive_all(letters, 1)
            letters.reject(arrived, "no template")
            assert letters.receive(10, QUIET_SECONDS) == []
        assert transport.dead_letters() == {paid.message_id}
        with closing(transport.events.event_consumer("bookkeeping")) as bookkeeping:
            assert ids(receive_all(bookkeeping, 1)) == [paid.message_id]
