"""Both transports as the contract sees them: how to send, finish, find dead letters, and break the server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg

from bus.embedded.session import Connection
from bus.port import SUBSCRIPTIONS as PRODUCT_SUBSCRIPTIONS
from bus.port import Consumer, Delivery, Envelope, Publisher, Subscription
from bus.rabbit.upkeep import list_dead_letters
from bus.topology import dead_letter_queues
from bus.transports import Bus, EmbeddedBus, RabbitBus
from kit.ids import new_id, sha256
from runtime.postgres import PostgresServer
from runtime.rabbitmq import RabbitServer
from storage.database import connect_as

SUBSCRIPTIONS = (
    Subscription("bookkeeping", ("invoice.paid", "payment.succeeded")),
    Subscription("letters", ("invoice.paid",)),
)
STAND_BY_DELAY_SECONDS = 1.0
STEP_BACK_SECONDS = 2.0
# A quorum queue must have this age before its broker is killed (RabbitMQ 3.10).
QUEUE_AGE_SECONDS = 5.0


class Transport(Protocol):
    """One running bus, empty at the start of each test."""

    name: str
    commands: Bus
    events: Bus
    age_seconds: float

    def send(self, publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
        """Accepts and publishes commands."""

    def finish(self, consumer: Consumer, deliveries: Sequence[Delivery]) -> None:
        """Applies and acknowledges commands."""

    def dead_letters(self) -> set[UUID]: ...

    def kill_server(self) -> None: ...

    def start_server(self) -> None: ...

    def child_arguments(self) -> list[str]:
        """What `consuming_process` needs to consume from this bus."""


def command(partition: int, studio_id: UUID, body: bytes = b'{"a": 1}') -> Envelope:
    """Any command: the bus does not read bodies."""
    return Envelope(new_id(), str(partition), "VoidInvoice", 1, body, "correlation", studio_id, new_id())


def event(name: str, studio_id: UUID) -> Envelope:
    return Envelope(new_id(), name, name, 1, b'{"b": 2}', "correlation", studio_id, new_id())


@dataclass
class RabbitTransport:
    """A virtual host of its own, with the product's queues and the test's."""

    server: RabbitServer
    amqp_url: str
    name: str = "rabbit"
    age_seconds: float = QUEUE_AGE_SECONDS

    def __post_init__(self) -> None:
        declared = (*PRODUCT_SUBSCRIPTIONS, *SUBSCRIPTIONS)
        bus = RabbitBus(self.amqp_url, "test", declared, STAND_BY_DELAY_SECONDS, STEP_BACK_SECONDS)
        bus.declare()
        self.commands: Bus = bus
        self.events: Bus = bus

    def send(self, publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
        publisher.publish(envelopes)

    def finish(self, consumer: Consumer, deliveries: Sequence[Delivery]) -> None:
        consumer.acknowledge(deliveries)

    def dead_letters(self) -> set[UUID]:
        letters = list_dead_letters(self.amqp_url, dead_letter_queues(SUBSCRIPTIONS))
        return {UUID(letter.message_id) for letter in letters}

    def kill_server(self) -> None:
        self.server.kill()

    def start_server(self) -> None:
        self.server.start()

    def child_arguments(self) -> list[str]:
        return ["rabbit", self.amqp_url]


@dataclass
class EmbeddedTransport:
    """The database of the test's server; commands under the updater's role, events under the relay's."""

    server: PostgresServer
    database_url: str
    name: str = "embedded"
    age_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.commands: Bus = EmbeddedBus(self.connect_as("billbus_updater"), (), STAND_BY_DELAY_SECONDS)
        self.events: Bus = EmbeddedBus(self.connect_as("billbus_relay"), SUBSCRIPTIONS)

    def connect_as(self, role: str) -> Callable[[], Connection]:
        return lambda: connect_as(self.database_url, role, "bus contract")

    def send(self, publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
        with self.owner() as connection:
            connection.cursor().executemany(
                "INSERT INTO command_journal (command_id, studio_id, partition, kind, schema_version, body,"
                " body_hash, request_hash, principal, correlation_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, '', 'test', %s) ON CONFLICT DO NOTHING",
                [
                    (one.message_id, one.studio_id, int(one.route), one.kind, one.schema_version, one.body,
                     sha256(one.body), one.correlation_id)
                    for one in envelopes
                ],
            )  # fmt: skip
        publisher.publish(envelopes)

    def finish(self, consumer: Consumer, deliveries: Sequence[Delivery]) -> None:
        self.execute(
            "UPDATE command_journal SET state = 'applied', answered_at = clock_timestamp()"
            " WHERE command_id = ANY (%s)",
            [delivery.message_id for delivery in deliveries],
        )
        consumer.acknowledge(deliveries)

    def dead_letters(self) -> set[UUID]:
        return {
            row[0]
            for row in self.execute(
                "SELECT command_id FROM command_journal WHERE state = 'parked'"
                " UNION ALL SELECT event_id FROM inbox WHERE state = 'parked'"
            )
        }

    def kill_server(self) -> None:
        self.server.kill()

    def start_server(self) -> None:
        self.server.start()

    def child_arguments(self) -> list[str]:
        return ["embedded", self.database_url]

    def owner(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.database_url)

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.owner() as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []
