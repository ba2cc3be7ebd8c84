"""The events process and the relay as real processes over either bus, and what they leave behind.

`hear` is for tests that only need what has been heard: the same handlers, without a bus between.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from bus.events import Event, decode_event
from bus.messages import encode
from bus.port import Delivery, Envelope
from bus.rabbit.upkeep import list_dead_letters
from bus.transports import choose_bus
from integrations.event_log import log_events
from integrations.listening import Heard
from integrations.planning import plan_messages
from kit.ids import new_id
from storage.database import connect_as, create_role_engine
from tests.integration.state_updater.shops import Row, Shop, process

SETTLE_SECONDS_MAX = 30.0
EVENTS, RELAY = "integrations", "state_updater"


def until(happened: Callable[[], object], what: str) -> None:
    """Waits a bounded time for something that another process does."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


def envelope(event: Event, kind: str, correlation_id: str = "test") -> Envelope:
    """Of a new id, as the relay would send it."""
    body = encode(event)
    return Envelope(new_id(), kind, kind, event.schema_version, body, correlation_id, event.studio_id)


def hear(shop: Shop) -> None:
    """Everything that waits in the studio's outbox is logged and planned for, as after a relay."""
    statement = """
        SELECT id, kind, schema_version, CAST(body AS text), correlation_id FROM outbox
        WHERE channel = 'event' AND studio_id = :studio ORDER BY sequence
    """
    heard = [_heard(*row) for row in shop.rows(statement)]
    engine = create_role_engine(shop.url, "billbus_events", "test")
    with engine.begin() as connection:
        log_events(connection, heard)
        plan_messages(connection, heard)
    engine.dispose()


def _heard(event_id: UUID, kind: str, schema_version: int, body: str, correlation_id: str) -> Heard:
    delivery = Delivery(event_id, kind, schema_version, body.encode(), correlation_id, False, None)
    return Heard(event_id, kind, decode_event(kind, schema_version, delivery.body), correlation_id, delivery)


@dataclass
class House:
    """A shop, its bus, and the processes that are started there."""

    shop: Shop
    amqp_url: str | None
    folder: Path
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, module: str, **environment: str) -> "subprocess.Popen[bytes]":
        variables = {"CELERY_FOLDER": str(self.folder)} | environment
        if self.amqp_url is not None:
            variables["AMQP_URL"] = self.amqp_url
        started = process(module, self.shop.url, **variables)
        self.running.append(started)
        return started

    def stop(self) -> None:
        """SIGTERM to all that still run; each must end with 0, or at once if it had not begun yet."""
        running = [each for each in self.running if each.poll() is None]
        for each in running:
            each.send_signal(signal.SIGTERM)
        assert {each.wait(SETTLE_SECONDS_MAX) for each in running} <= {0, -signal.SIGTERM}
        self.running.clear()

    def kill(self) -> None:
        for each in self.running:
            each.kill()
            each.wait()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Past the outbox: what nobody of ours would send."""
        connect = partial(connect_as, self.shop.url, "billbus_relay", "test")
        publisher = choose_bus(self.amqp_url, connect, "test").event_publisher()
        publisher.publish(envelopes)
        publisher.close()

    # -------------------------------------------------------------- looking

    def sent(self) -> set[UUID]:
        """Events of the outbox, gone or not."""
        return {row[0] for row in self.shop.rows("SELECT id FROM outbox WHERE channel = 'event'")}

    def logged(self) -> Mapping[UUID, Row]:
        """(kind, is_error, subject_id, correlation_id) by event id."""
        rows = self.shop.rows("SELECT event_id, kind, is_error, subject_id, correlation_id FROM event_log")
        return {event_id: tuple(row) for event_id, *row in rows}

    def planned(self) -> list[Row]:
        return self.shop.rows("SELECT kind, subject_id, occasion, channel FROM notification ORDER BY kind")

    def dead(self) -> set[tuple[str, UUID]]:
        """(consumer, message id) of what was rejected."""
        if self.amqp_url is None:
            return {
                (consumer, event_id)
                for consumer, event_id in self.shop.rows(
                    "SELECT consumer, event_id FROM inbox WHERE state = 'parked'"
                )
            }
        return {
            (letter.queue.removeprefix("billbus.events.").removesuffix(".dead"), UUID(letter.message_id))
            for letter in list_dead_letters(self.amqp_url)
        }
