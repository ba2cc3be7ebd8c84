"""Which bus this installation has: RabbitMQ when there is a URL for it, Postgres itself otherwise.

The one place where a process chooses; everything else sees `bus.port`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from bus.embedded.commands import EmbeddedCommandConsumer, EmbeddedCommandPublisher
from bus.embedded.events import EmbeddedEventConsumer, EmbeddedEventPublisher
from bus.embedded.session import Connect
from bus.messages import PARTITION_COUNT
from bus.port import SUBSCRIPTIONS, Consumer, Publisher, Subscription
from bus.rabbit.consumer import STEP_BACK_SECONDS, RabbitConsumer
from bus.rabbit.publisher import RabbitPublisher
from bus.rabbit.upkeep import declare, queue_depths
from bus.topology import (
    COMMANDS_EXCHANGE,
    EVENTS_EXCHANGE,
    billbus_topology,
    command_queue,
    event_queue,
    partitions_of,
)

STAND_BY_DELAY_SECONDS = 5.0


class Bus(Protocol):
    """Makes the ends of the bus for one process. Who makes one closes it."""

    @property
    def carries_commands(self) -> bool:
        """Whether commands travel apart from the journal, so that one may be lost and be published again."""

    def command_publisher(self) -> Publisher: ...

    def event_publisher(self) -> Publisher: ...

    def command_consumer(self, index: int, count: int) -> Consumer:
        """Of the partitions p mod `count` = `index`, and as stand-by of the others."""

    def event_consumer(self, consumer: str) -> Consumer:
        """Of the subscription of this name."""

    def queue_depths(self) -> dict[str, int]:
        """Commands that wait in queues apart from the journal, by queue. Raises BusAway."""


@dataclass(frozen=True, slots=True)
class RabbitBus:
    """`service` names connections and consumers in the broker's console."""

    amqp_url: str = field(repr=False)
    service: str
    subscriptions: Sequence[Subscription] = SUBSCRIPTIONS
    stand_by_delay_seconds: float = STAND_BY_DELAY_SECONDS
    step_back_seconds: float = STEP_BACK_SECONDS

    carries_commands: ClassVar[bool] = True

    def declare(self) -> None:
        """Raises BusAway."""
        declare(self.amqp_url, billbus_topology(self.subscriptions))

    def command_publisher(self) -> Publisher:
        return RabbitPublisher(self.amqp_url, COMMANDS_EXCHANGE, self.service)

    def event_publisher(self) -> Publisher:
        return RabbitPublisher(self.amqp_url, EVENTS_EXCHANGE, self.service)

    def command_consumer(self, index: int, count: int) -> Consumer:
        own = partitions_of(index, count)
        return RabbitConsumer(
            self.amqp_url,
            self.service,
            [command_queue(partition) for partition in own],
            self.declare,
            stand_by_queues=[command_queue(p) for p in range(PARTITION_COUNT) if p not in own],
            stand_by_delay_seconds=self.stand_by_delay_seconds,
            step_back_seconds=self.step_back_seconds,
        )

    def event_consumer(self, consumer: str) -> Consumer:
        return RabbitConsumer(self.amqp_url, self.service, [event_queue(consumer)], self.declare)

    def queue_depths(self) -> dict[str, int]:
        return queue_depths(self.amqp_url)


@dataclass(frozen=True, slots=True)
class EmbeddedBus:
    """`connect` opens a connection under the role of this process."""

    connect: Connect = field(repr=False)
    subscriptions: Sequence[Subscription] = SUBSCRIPTIONS
    stand_by_delay_seconds: float = STAND_BY_DELAY_SECONDS
    carries_commands: ClassVar[bool] = False

    def command_publisher(self) -> Publisher:
        return EmbeddedCommandPublisher(self.connect)

    def event_publisher(self) -> Publisher:
        return EmbeddedEventPublisher(self.connect, self.subscriptions)

    def command_consumer(self, index: int, count: int) -> Consumer:
        return EmbeddedCommandConsumer(self.connect, index, count, self.stand_by_delay_seconds)

    def event_consumer(self, consumer: str) -> Consumer:
        return EmbeddedEventConsumer(self.connect, consumer)

    def queue_depths(self) -> dict[str, int]:
        """None: the journal is the queue."""
        return {}


def choose_bus(amqp_url: str | None, connect: Connect, service: str) -> Bus:
    """`amqp_url` as in the settings: None means the embedded bus, over connections made by `connect`."""
    if amqp_url is None:
        return EmbeddedBus(connect)
    return RabbitBus(amqp_url, service)
