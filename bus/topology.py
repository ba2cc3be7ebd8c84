"""Where messages go on RabbitMQ: every exchange, queue and binding, as data derived from the registry.

Called by `rabbit.upkeep`, which declares it at deploy, and by whatever prints or exports it. Never connects.

Commands have no alternate exchange: one that no queue takes must come back to its publisher, and a broker
that has put it elsewhere confirms it. Events have one: an event that nobody subscribes to is no fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bus.messages import PARTITION_COUNT
from bus.port import SUBSCRIPTIONS, Subscription

COMMANDS_EXCHANGE = "billbus.commands"
EVENTS_EXCHANGE = "billbus.events"
DEAD_EXCHANGE = "billbus.dead"
UNROUTED = "billbus.unrouted"
DEAD_COMMANDS_QUEUE = "billbus.commands.dead"

# A consumer that dies punishes everything it had in hand, so the broker's limit is only the last resort.
DELIVERY_LIMIT = 100
# Every look at the dead letters counts as a delivery, and RabbitMQ 4 drops what exceeds its default of 20.
DEAD_LETTER_DELIVERY_LIMIT = 1_000_000
UNROUTED_LENGTH_LIMIT = 10_000

Argument = str | int | bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: Literal["direct", "topic", "fanout"]
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue."""

    name: str
    arguments: Mapping[str, Argument]


@dataclass(frozen=True, slots=True)
class Binding:
    """What an exchange puts into a queue."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything the broker must have before the first message, in the order of declaring."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def command_queue(partition: int) -> str:
    """The queue of one partition; the number is also its routing key."""
    return f"billbus.commands.{partition}"


def event_queue(consumer: str) -> str:
    """The queue of one subscription."""
    return f"billbus.events.{consumer}"


def dead_letter_queues(subscriptions: Sequence[Subscription] = SUBSCRIPTIONS) -> tuple[str, ...]:
    """Where rejected messages lie: one queue for commands, one per subscription."""
    return (DEAD_COMMANDS_QUEUE, *(f"{event_queue(one.consumer)}.dead" for one in subscriptions))


def partitions_of(index: int, count: int) -> tuple[int, ...]:
    """The partitions that consumer `index` of `count` owns: p mod count = index."""
    return tuple(partition for partition in range(PARTITION_COUNT) if partition % count == index)


def billbus_topology(subscriptions: Sequence[Subscription] = SUBSCRIPTIONS) -> Topology:
    """The whole topology; dead-letter queues come before the queues that feed them."""
    partitions = range(PARTITION_COUNT)
    dead_queues = dead_letter_queues(subscriptions)
    return Topology(
        exchanges=(
            Exchange(UNROUTED, "fanout"),
            Exchange(DEAD_EXCHANGE, "direct"),
            Exchange(COMMANDS_EXCHANGE, "direct"),
            Exchange(EVENTS_EXCHANGE, "topic", {"alternate-exchange": UNROUTED}),
        ),
        queues=(
            Queue(UNROUTED, {"x-queue-type": "quorum", "x-max-length": UNROUTED_LENGTH_LIMIT}),
            *(_dead_letter_queue(name) for name in dead_queues),
            *(_working_queue(command_queue(p), DEAD_COMMANDS_QUEUE, one_consumer=True) for p in partitions),
            *(
                _working_queue(event_queue(one.consumer), dead, one_consumer=False)
                for one, dead in zip(subscriptions, dead_queues[1:], strict=True)
            ),
        ),
        bindings=(
            Binding(UNROUTED, UNROUTED, ""),
            *(Binding(DEAD_EXCHANGE, name, name) for name in dead_queues),
            *(Binding(COMMANDS_EXCHANGE, command_queue(p), str(p)) for p in partitions),
            *(
                Binding(EVENTS_EXCHANGE, event_queue(one.consumer), event)
                for one in subscriptions
                for event in one.events
            ),
        ),
    )


def _dead_letter_queue(name: str) -> Queue:
    return Queue(name, {"x-queue-type": "quorum", "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT})


def _working_queue(name: str, dead_letter_queue: str, *, one_consumer: bool) -> Queue:
    """At-least-once dead-lettering needs reject-publish, although no length is limited."""
    arguments: dict[str, Argument] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": dead_letter_queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return Queue(name, arguments | ({"x-single-active-consumer": True} if one_consumer else {}))


def definitions(topology: Topology, virtual_host: str = "/") -> dict[str, list[dict[str, object]]]:
    """The topology as RabbitMQ's definitions file wants it."""
    durable: dict[str, object] = {"vhost": virtual_host, "durable": True, "auto_delete": False}
    return {
        "exchanges": [
            durable
            | {"name": one.name, "type": one.kind, "internal": False, "arguments": dict(one.arguments)}
            for one in topology.exchanges
        ],
        "queues": [durable | {"name": one.name, "arguments": dict(one.arguments)} for one in topology.queues],
        "bindings": [
            {
                "vhost": virtual_host,
                "source": one.exchange,
                "destination": one.queue,
                "destination_type": "queue",
                "routing_key": one.routing_key,
                "arguments": {},
            }
            for one in topology.bindings
        ],
    }
