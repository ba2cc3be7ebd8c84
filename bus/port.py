"""The bus as everyone sees it. `rabbit` and `embedded` satisfy these protocols; one suite holds both.

Delivery is at least once, in order per partition while nothing fails; nothing relies on the order. The
journal row of a command is what says whether it has been applied.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from bus.events import EVENTS
from kit.errors import Transient


class BusAway(Transient):
    """The bus did not take the message, or cannot be reached. The journal still has it."""

    code = "bus_away"


class BusRefused(Exception):
    """The bus lets this process not do its work: a queue or a right is missing, or a password is wrong.

    Raised at a process's start only, which it ends. Once it has worked it waits: people may be mending it.
    """


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way. `route` is the partition number of a command, the name of an event."""

    message_id: UUID
    route: str
    kind: str
    schema_version: int
    body: bytes
    correlation_id: str
    studio_id: UUID
    causation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it arrived. What could not be read of its properties is None; the body is never trusted.

    `receipt` is the transport's own: it names the delivery on the channel (and the channel's generation) or
    the row, and is given back with `acknowledge` or `reject`.
    """

    message_id: UUID | None
    kind: str | None
    schema_version: int | None
    body: bytes
    correlation_id: str
    redelivered: bool
    receipt: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was rejected, or delivered too often by a broker. All of it is as it came: not trusted.

    `queue` is where it lies, `came_from` where it goes again: queues of the broker, or on Postgres the inbox
    and the consumer.
    """

    queue: str
    message_id: str | None
    kind: str | None
    studio_id: str | None
    reason: str
    came_from: str
    size_bytes: int


class Publisher(Protocol):
    """Sends commands or events. Thread-safe."""

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Returns when the bus has taken every one of them durably, within a deadline. Raises BusAway.

        After BusAway any of them may or may not have been taken. Idempotent by message id at the receiver.
        """

    def close(self) -> None: ...


class Consumer(Protocol):
    """Receives for one process, in its one thread."""

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """What has arrived and is not yet handed out, oldest first, at most `limit`.

        Waits up to `wait_seconds` for the first; returns [] when nothing came. Reconnects for ever by itself,
        so it raises nothing for a broker that is away; deliveries of a lost connection come again.
        Raises BusRefused.
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Done with these: the oldest that were handed out and not yet acknowledged, in one stroke.

        Receipts of a connection that is gone are dropped: those messages come again and are recognised.
        """

    def reject(self, delivery: Delivery, reason: str) -> None:
        """Puts one message that can never be applied among the dead letters, where ops can see it."""

    def keep_alive(self) -> None:
        """To be called during long work, so that the broker does not think us dead."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer of events by name: which of them it wants. Declared once, at deploy."""

    consumer: str
    events: tuple[str, ...]


# Who listens to which events on either bus; a room that consumes events adds its line.
SUBSCRIPTIONS = (
    Subscription("integrations", tuple(EVENTS)),
    Subscription(
        "notifications",
        (
            "subscription.activated",
            "subscription.renewed",
            "subscription.ending",
            "subscription.canceled",
            "invoice.opened",
            "payment.succeeded",
            "payment.failed",
            "payment.unapplied",
            "refund.succeeded",
            "booking.created",
            "booking.confirmed",
            "booking.rescheduled",
            "booking.cancelled",
            "booking.expired",
            "booking.no_show",
        ),
    ),
)
