"""The relay: what committed transactions left in the outbox goes to the bus and to the workers; commands that
stay unapplied are published again.

It wakes when a group of commands has been applied, and every second anyway. It decides nothing. Two may run:
each claims its own rows. A crash anywhere repeats a message with the same id, which its receiver recognises.
"""

from collections.abc import Callable, Sequence
from time import monotonic, sleep

import orjson
import psycopg
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from bus.backoff import reconnect_delay_seconds
from bus.port import BusAway, Publisher
from bus.transports import Bus
from kit.errors import Transient
from runtime.crash_points import crash_point
from runtime.logging import bind
from runtime.metrics import count_database_error
from state_updater.tasks.sending import TaskSender
from storage.journal import APPLIED_CHANNEL
from storage.outgoing import (
    PAGE_LIMIT,
    Outgoing,
    claim_outbox,
    claim_unapplied_commands,
    mark_published,
    release,
    release_commands,
)

WAKE_SECONDS = 1.0
# While a queue is longer than this its commands are merely late, not lost: publishing them again would only
# make it longer.
LONG_QUEUE = 1_000

Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]

log = structlog.get_logger(__name__)


class Relay:
    """Publishes from rows. `connect` opens the connection that listens for applied groups.

    A page that was claimed and never marked leaves again after `claim_seconds`.
    """

    def __init__(
        self,
        engine: Engine,
        connect: Connect,
        bus: Bus,
        tasks: TaskSender,
        claim_seconds: float,
        republish_every_seconds: float,
    ) -> None:
        self._engine = engine
        self._connect = connect
        self._bus = bus
        self._tasks = tasks
        self._claim_seconds = claim_seconds
        self._republish_every_seconds = republish_every_seconds
        self._events: Publisher = bus.event_publisher()
        self._commands: Publisher = bus.command_publisher()
        self._listener: psycopg.Connection[tuple[object, ...]] | None = None
        self._republish_due = 0.0
        self._failures = 0
        self.is_stopping = False

    def run(self) -> None:
        """Until `is_stopping`."""
        while not self.is_stopping:
            try:
                self._work()
                self._failures = 0
            except (Transient, OperationalError, psycopg.OperationalError) as error:
                self._failures += 1
                count_database_error(error)  # the listener's; the engine's come wrapped, and are counted
                log.warning("relay waits", reason=str(error)[:200], failures=self._failures)
                self._drop_listener()
                sleep(reconnect_delay_seconds(self._failures))
        self._events.close()
        self._commands.close()
        self._drop_listener()

    def _work(self) -> None:
        while not self.is_stopping and self.send_outbox() == PAGE_LIMIT:
            pass
        if monotonic() >= self._republish_due:
            self._republish_due = monotonic() + self._republish_every_seconds
            self.republish_commands()
        self._wait_for_work()

    def send_outbox(self) -> int:
        """Claims, sends and marks one page; returns its size. Raises Transient, with the page given back."""
        with self._engine.begin() as connection:
            page = claim_outbox(connection, self._claim_seconds)
        if not page:
            return 0
        crash_point("relay_after_select")
        try:
            self._send(page)
        except Transient:
            with self._engine.begin() as connection:
                release(connection, [row.id for row in page])
            raise
        crash_point("relay_after_publish")
        with self._engine.begin() as connection:
            mark_published(connection, [row.id for row in page])
        return len(page)

    def _send(self, page: Sequence[Outgoing]) -> None:
        events = [row.envelope() for row in page if row.channel == "event"]
        if events:
            self._events.publish(events)
        for row in page:
            if row.channel == "task":
                arguments = orjson.loads(row.body) | {"correlation_id": row.correlation_id}
                self._tasks.send(row.kind, arguments)
                with bind(correlation_id=row.correlation_id, studio_id=row.studio_id):
                    log.info("task sent", task=row.kind)

    def republish_commands(self) -> None:
        """Commands that were not applied in time go to the bus again, none while queues are long."""
        if not self._bus.carries_commands or any(
            depth > LONG_QUEUE for depth in self._bus.queue_depths().values()
        ):
            return
        with self._engine.begin() as connection:
            envelopes = claim_unapplied_commands(connection)
        if not envelopes:
            return
        try:
            self._commands.publish(envelopes)
            log.info("commands published again", commands=len(envelopes))
        except BusAway as away:
            log.warning("commands not published", reason=str(away))
            with self._engine.begin() as connection:
                release_commands(connection, [each.message_id for each in envelopes])

    def _wait_for_work(self) -> None:
        """Returns when a group has been applied, or after WAKE_SECONDS."""
        if self._listener is None:
            self._listener = self._connect()
            self._listener.autocommit = True
            self._listener.execute(f"LISTEN {APPLIED_CHANNEL}")
            return
        for _ in self._listener.notifies(timeout=WAKE_SECONDS, stop_after=1):
            pass

    def _drop_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
