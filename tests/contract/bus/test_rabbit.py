"""What only a broker can do to us: lose queues, return messages, block publishers, close channels."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bus.port import BusAway, Consumer, DeadLetter, Publisher
from bus.rabbit.publisher import RabbitPublisher
from bus.rabbit.upkeep import declare, list_dead_letters, queue_depths, replay_dead_letter
from bus.topology import COMMANDS_EXCHANGE, UNROUTED, Queue, Topology, command_queue
from runtime.ports import free_port
from tests.contract.bus.test_contract import FAILURE_SECONDS, ids, publish_when_back, receive_all
from tests.contract.bus.transports import STEP_BACK_SECONDS, RabbitTransport, command, event

pytestmark = pytest.mark.slow


@pytest.fixture
def channel(rabbit_transport: RabbitTransport) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(rabbit_transport.amqp_url)) as connection:
        yield connection.channel()


@pytest.fixture
def publisher(rabbit_transport: RabbitTransport) -> Iterator[Publisher]:
    with closing(rabbit_transport.commands.command_publisher()) as publisher:
        yield publisher


@pytest.fixture
def consumer(rabbit_transport: RabbitTransport) -> Iterator[Consumer]:
    with closing(rabbit_transport.commands.command_consumer(0, 1)) as consumer:
        yield consumer


def settled_dead_letters(amqp_url: str, count: int) -> dict[str | None, DeadLetter]:
    """By message id; the broker puts back what was looked at a moment after we left."""
    deadline = time.monotonic() + 5
    while len(letters := list_dead_letters(amqp_url)) != count and time.monotonic() < deadline:
        time.sleep(0.2)
    return {letter.message_id: letter for letter in letters}


def test_a_command_that_no_queue_takes_is_not_published(
    publisher: Publisher, channel: BlockingChannel, studio_id: UUID
) -> None:
    channel.queue_delete(command_queue(3))
    with pytest.raises(BusAway, match="returned"):
        publisher.publish([command(3, studio_id)])
    publisher.publish([command(4, studio_id)])


def test_one_returned_command_fails_its_whole_group_and_no_other(
    publisher: Publisher, channel: BlockingChannel, studio_id: UUID
) -> None:
    channel.queue_delete(command_queue(3))
    with pytest.raises(BusAway, match="returned"):
        publisher.publish([command(number, studio_id) for number in range(8)])
    publisher.publish([command(number, studio_id) for number in (0, 1, 2)])


def test_an_event_that_nobody_wants_is_kept_where_ops_can_see_it(
    rabbit_transport: RabbitTransport, channel: BlockingChannel, studio_id: UUID
) -> None:
    unwanted = event("nobody.wants_this", studio_id)
    with closing(rabbit_transport.events.event_publisher()) as publisher:
        publisher.publish([unwanted])
    _, properties, _ = channel.basic_get(UNROUTED)
    assert properties is not None
    assert properties.message_id == str(unwanted.message_id)


def test_a_publisher_without_a_broker_fails_within_its_deadline_and_then_at_once(studio_id: UUID) -> None:
    nowhere = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    began_at = time.monotonic()
    with closing(RabbitPublisher(nowhere, COMMANDS_EXCHANGE, "test")) as publisher:
        with pytest.raises(BusAway):
            publisher.publish([command(0, studio_id)])
        tried_at = time.monotonic()
        with pytest.raises(BusAway):
            publisher.publish([command(0, studio_id)])
        failed_at = time.monotonic()
    assert tried_at - began_at < FAILURE_SECONDS
    assert failed_at - tried_at < 0.5


def test_under_an_alarm_publishing_fails_in_time_and_consuming_goes_on(
    rabbit_transport: RabbitTransport, publisher: Publisher, consumer: Consumer, studio_id: UUID
) -> None:
    waiting = [command(0, studio_id) for _ in range(3)]
    publisher.publish(waiting)
    server = rabbit_transport.server
    server.control("set_disk_free_limit", "9000GB")
    try:
        for _ in range(2):
            began_at = time.monotonic()
            with pytest.raises(BusAway):
                publisher.publish([command(1, studio_id)])
            assert time.monotonic() - began_at < FAILURE_SECONDS
        arrived = receive_all(consumer, 3)
        assert ids(arrived) == ids(waiting)
        consumer.acknowledge(arrived)
    finally:
        server.control("set_disk_free_limit", "50MB")
    publish_when_back(rabbit_transport, publisher, [command(2, studio_id)])


def test_a_consumer_whose_queue_is_deleted_makes_it_again_and_resumes(
    rabbit_transport: RabbitTransport,
    publisher: Publisher,
    consumer: Consumer,
    channel: BlockingChannel,
    studio_id: UUID,
) -> None:
    publisher.publish([command(5, studio_id)])
    consumer.acknowledge(receive_all(consumer, 1))
    channel.queue_delete(command_queue(5))
    after = command(5, studio_id)
    publish_when_back(rabbit_transport, publisher, [after])
    assert after.message_id in ids(receive_all(consumer, 1))


def test_a_receipt_is_worth_nothing_on_another_channel(
    rabbit_transport: RabbitTransport, publisher: Publisher, consumer: Consumer, studio_id: UUID
) -> None:
    sent = [command(1, studio_id) for _ in range(3)]
    publisher.publish(sent)
    old = receive_all(consumer, 3)
    rabbit_transport.server.control("close_all_connections", "--global", "test")
    new = receive_all(consumer, 3)
    assert ids(new) == ids(sent)
    assert all(one.redelivered for one in new)
    # The tags are the same numbers: acknowledged here, they would take the new deliveries from the queue.
    consumer.acknowledge(old)
    consumer.reject(old[0], "late")
    consumer.close()
    with closing(rabbit_transport.commands.command_consumer(0, 1)) as successor:
        assert ids(receive_all(successor, 3)) == ids(sent)
    assert rabbit_transport.dead_letters() == set()


def test_a_message_that_is_nothing_we_know_arrives_as_such_and_stops_nobody(
    publisher: Publisher, consumer: Consumer, channel: BlockingChannel, studio_id: UUID
) -> None:
    garbage = pika.BasicProperties(
        message_id=b"\xff\xfe",  # what a foreign publisher may well send
        type=b"\xff",
        headers={"schema_version": "one", "nested": [{"deep": None}]},
    )
    channel.basic_publish(COMMANDS_EXCHANGE, "0", b"\x00not JSON", garbage)
    channel.basic_publish(COMMANDS_EXCHANGE, "0", b"")
    deliveries = receive_all(consumer, 2)
    for delivery, body in zip(deliveries, (b"\x00not JSON", b""), strict=True):
        assert (delivery.message_id, delivery.kind, delivery.schema_version) == (None, None, None)
        assert delivery.body == body
        consumer.reject(delivery, "unreadable")
    good = command(0, studio_id)
    publisher.publish([good])
    assert ids(receive_all(consumer, 1)) == [good.message_id]


def test_a_stand_by_that_steps_back_while_nobody_else_is_there_keeps_what_it_has_in_hand(
    rabbit_transport: RabbitTransport, publisher: Publisher, studio_id: UUID
) -> None:
    sent = [command(0, studio_id) for _ in range(3)]
    publisher.publish(sent)
    with closing(rabbit_transport.commands.command_consumer(1, 2)) as stand_by:
        in_hand = receive_all(stand_by, 3)
        assert ids(in_hand) == ids(sent)
        assert stand_by.receive(10, STEP_BACK_SECONDS + 1) == []
        late = command(0, studio_id)
        publisher.publish([late])
        in_hand += receive_all(stand_by, 1)
        assert ids(in_hand) == ids([*sent, late])
        stand_by.acknowledge(in_hand)
    with closing(rabbit_transport.commands.command_consumer(0, 1)) as successor:
        assert successor.receive(10, 1.0) == []


def test_an_end_that_is_closed_while_it_connects_leaves_no_thread(rabbit_transport: RabbitTransport) -> None:
    before = threading.active_count()
    for delay_seconds in (0.0, 0.002, 0.004, 0.02):
        publisher = rabbit_transport.commands.command_publisher()
        consumer = rabbit_transport.commands.command_consumer(0, 1)
        time.sleep(delay_seconds)
        publisher.close()
        consumer.close()
        consumer.close()
    assert threading.active_count() == before


def test_declaring_twice_changes_nothing_and_a_different_queue_is_refused(
    rabbit_transport: RabbitTransport,
) -> None:
    different = Topology((), (Queue(command_queue(0), {"x-queue-type": "classic"}),), ())
    with pytest.raises(BusAway, match="406"):
        declare(rabbit_transport.amqp_url, different)
    declare(rabbit_transport.amqp_url, Topology((), (), ()))


def test_depths_count_what_waits(
    rabbit_transport: RabbitTransport, publisher: Publisher, studio_id: UUID
) -> None:
    publisher.publish([command(2, studio_id) for _ in range(4)])
    deadline = time.monotonic() + 5
    while queue_depths(rabbit_transport.amqp_url)[command_queue(2)] != 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert queue_depths(rabbit_transport.amqp_url) == {
        command_queue(partition): 4 if partition == 2 else 0 for partition in range(8)
    }


def test_dead_letters_stay_while_looked_at_until_one_is_replayed(
    rabbit_transport: RabbitTransport, publisher: Publisher, consumer: Consumer, studio_id: UUID
) -> None:
    sent = [command(7, studio_id) for _ in range(3)]
    publisher.publish(sent)
    for delivery in receive_all(consumer, 3):
        consumer.reject(delivery, "test")
    first, second, third = (str(one.message_id) for one in sent)
    for _ in range(3):
        letters = settled_dead_letters(rabbit_transport.amqp_url, 3)
        assert set(letters) == {first, second, third}
    assert (letters[first].reason, letters[first].came_from) == ("rejected", command_queue(7))
    assert len(list_dead_letters(rabbit_transport.amqp_url, limit=2)) == 2

    assert replay_dead_letter(rabbit_transport.amqp_url, second) == letters[second]
    [again] = receive_all(consumer, 1)
    assert (again.message_id, again.body) == (sent[1].message_id, sent[1].body)
    assert set(settled_dead_letters(rabbit_transport.amqp_url, 2)) == {first, third}
    assert replay_dead_letter(rabbit_transport.amqp_url, "nobody") is None
