"""What is done to a broker at deploy and by ops: declare the topology, look at queues and dead letters.

Called by the command line, by the run stack, by the relay (depths only) and by a consumer whose queue was
deleted. Short connections, one per call; never on the way of a message.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ChannelClosed, ConnectionClosed, UnroutableError
from pika.spec import Basic

from bus.messages import PARTITION_COUNT
from bus.port import BusAway, DeadLetter
from bus.rabbit.link import connection_parameters
from bus.rabbit.wire import text
from bus.topology import Queue, Topology, command_queue, dead_letter_queues

DEAD_LETTER_LIMIT = 1_000


def declare(amqp_url: str, topology: Topology) -> None:
    """Makes exchanges, queues and bindings, and asks each queue for service. Idempotent.

    A queue younger than some seconds does not outlive a crash of the broker: declare long before use.
    Raises BusAway; with the broker's words when what is there differs or a queue does not serve.
    """
    with _connected(amqp_url, "topology") as connection:
        channel = connection.channel()
        for exchange in topology.exchanges:
            channel.exchange_declare(
                exchange.name, exchange.kind, durable=True, arguments=dict(exchange.arguments)
            )
        for queue in topology.queues:
            channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        for binding in topology.bindings:
            channel.queue_bind(binding.queue, binding.exchange, binding.routing_key)
        for queue in topology.queues:
            _check_service(connection, queue)


def queue_depths(amqp_url: str) -> dict[str, int]:
    """How many messages wait in each command queue; those in hand are not counted. Raises BusAway."""
    with _connected(amqp_url, "depths") as connection:
        channel = connection.channel()
        names = [command_queue(partition) for partition in range(PARTITION_COUNT)]
        return {name: channel.queue_declare(name, passive=True).method.message_count for name in names}


def list_dead_letters(
    amqp_url: str, queues: Sequence[str] = dead_letter_queues(), limit: int = DEAD_LETTER_LIMIT
) -> list[DeadLetter]:
    """At most `limit` dead letters of each queue, which stay there. Raises BusAway.

    The broker may give those that were looked at another place in the line.
    """
    with _connected(amqp_url, "dead letters") as connection:
        found = []
        for queue in queues:
            # Leaving without an answer puts them back.
            with connection.channel() as channel:
                found += [letter for letter, *_ in _look_through(channel, queue, limit)]
        return found


def replay_dead_letter(
    amqp_url: str, message_id: str, queues: Sequence[str] = dead_letter_queues()
) -> DeadLetter | None:
    """Puts one dead letter back into its queue, under the same id, then takes it from the dead letters.

    None when it is not among the first DEAD_LETTER_LIMIT. A crash between the two leaves it in both places.
    Raises BusAway, and then it is still a dead letter.
    """
    with _connected(amqp_url, "dead letters") as connection:
        for queue in queues:
            with connection.channel() as channel:
                for letter, tag, properties, body in _look_through(channel, queue, DEAD_LETTER_LIMIT):
                    if letter.message_id == message_id:
                        _send_again(connection, letter, properties, body)
                        channel.basic_ack(tag)
                        return letter
    return None


def _check_service(connection: BlockingConnection, queue: Queue) -> None:
    """Subscribes and leaves at once. Only a queue with a leader answers; a passive declare proves nothing.

    At most one message is in our hand for that moment, and goes back to its place.
    """
    with connection.channel() as channel:
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue.name, lambda *_: None)


def _look_through(
    channel: BlockingChannel, queue: str, limit: int
) -> Iterator[tuple[DeadLetter, int, pika.BasicProperties, bytes]]:
    for _ in range(limit):
        method, properties, body = channel.basic_get(queue)
        if not isinstance(method, Basic.GetOk):
            return
        yield _dead_letter(queue, properties, body), method.delivery_tag, properties, body


def _dead_letter(queue: str, properties: pika.BasicProperties, body: bytes) -> DeadLetter:
    headers = properties.headers or {}
    deaths: list[dict[str, str]] = headers.get("x-death") or [{}]
    death = deaths[0]
    return DeadLetter(
        queue=queue,
        message_id=text(properties.message_id),
        kind=text(properties.type),
        studio_id=text(headers.get("studio_id")),
        reason=death.get("reason", "unknown"),
        came_from=death.get("queue", ""),
        size_bytes=len(body),
    )


def _send_again(
    connection: BlockingConnection, letter: DeadLetter, properties: pika.BasicProperties, body: bytes
) -> None:
    with connection.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", letter.came_from, body, properties, mandatory=True)


@contextmanager
def _connected(amqp_url: str, purpose: str) -> Iterator[BlockingConnection]:
    try:
        connection = BlockingConnection(connection_parameters(amqp_url, purpose))
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()
    except (ChannelClosed, ConnectionClosed) as error:
        raise BusAway(reason=f"{error.reply_code} {error.reply_text}") from error
    except UnroutableError as error:
        raise BusAway(reason="returned: no queue") from error
    except AMQPError as error:
        raise BusAway(reason=type(error).__name__) from error
