"""A source of deliveries in memory, and a consumer over it. Postgres is real."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from billing_consumer.consumer import BillingConsumer
from bus.messages import encode
from bus.port import Delivery
from kit.errors import InvalidMessage
from state_updater.apply import Received
from storage.database import connect_as

STOP_SECONDS_MAX = 20.0


@dataclass
class Source:
    """Satisfies `bus.port.Consumer`: hands out `waiting` in groups, keeps what was done with each."""

    waiting: list[Delivery] = field(default_factory=list)
    acknowledged: list[Delivery] = field(default_factory=list)
    rejected: list[Delivery] = field(default_factory=list)
    kept_alive: int = 0
    is_closed: bool = False

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        if not self.waiting:
            threading.Event().wait(0.02)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged.extend(deliveries)

    def reject(self, delivery: Delivery, reason: str) -> None:
        assert delivery not in self.acknowledged
        self.rejected.append(delivery)

    def keep_alive(self) -> None:
        self.kept_alive += 1

    def close(self) -> None:
        self.is_closed = True


def delivery_of(received: Received) -> Delivery:
    assert not isinstance(received.command, InvalidMessage)
    kind = type(received.command).__name__
    return Delivery(received.command_id, kind, 1, encode(received.command), "test", False, None)


class Running:
    """A consumer in a thread for the length of a block; at the end it is stopped and must have ended."""

    def __init__(self, url: str, source: Source, group_limit: int = 50) -> None:
        connect = partial(connect_as, url, "billbus_updater", "test-consumer")
        self.consumer = BillingConsumer(source, connect, group_limit)
        self.thread = threading.Thread(target=self.consumer.run)

    def __enter__(self) -> BillingConsumer:
        self.thread.start()
        return self.consumer

    def __exit__(self, *_: object) -> None:
        self.consumer.is_stopping = True
        self.thread.join(STOP_SECONDS_MAX)
        assert not self.thread.is_alive()
