"""The loop of one subscription to events: receive, handle in one transaction, acknowledge.

`__main__` runs one per subscription, each in a thread of its own. What an event leads to is its handler's: it
writes in the given transaction alone, and a repeat changes nothing, because a crash between commit and
acknowledgement brings an event again. Postgres being away is no event's fault: what is in hand is held and
tried again. An event that fails for itself alone goes to the dead letters, and the others go on.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError

from bus.backoff import reconnect_delay_seconds
from bus.events import Event, decode_event
from bus.port import Consumer, Delivery
from kit.errors import InvalidMessage
from runtime.crash_points import crash_point
from runtime.logging import bind, without_values
from runtime.metrics import EVENT_AGE_SECONDS, EVENTS_HANDLED
from storage.database import is_momentary

GROUP_LIMIT = 100
WAIT_SECONDS = 0.5
STEP_SECONDS = 0.2
# Why an event was rejected is for a person; this much of it is kept.
REASON_LIMIT = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that could be read. `delivery` is what came."""

    event_id: UUID
    kind: str
    event: Event
    correlation_id: str
    delivery: Delivery


Handle = Callable[[Connection, Sequence[Heard]], None]


class PostgresAway(Exception):
    """Nothing can be said of any event."""


class Listener:
    """Handles what `source` delivers to `consumer`, in one thread; closes `source` when it stops."""

    def __init__(self, consumer: str, source: Consumer, engine: Engine, handle: Handle) -> None:
        self._consumer = consumer
        self._source = source
        self._engine = engine
        self._handle = handle
        self.is_stopping = False

    def run(self) -> None:
        """Until `is_stopping`; then what is in hand is finished, unless Postgres is away."""
        while not self.is_stopping:
            deliveries = self._source.receive(GROUP_LIMIT, WAIT_SECONDS)
            if deliveries:
                self._take(deliveries)
        self._source.close()

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        crash_point("event_after_receive")
        heard = deque(one for delivery in deliveries if (one := self._read(delivery)) is not None)
        if not self._handle_until_done(heard):
            return
        crash_point("event_after_commit")
        self._source.acknowledge(deliveries)
        log.info("events handled", consumer=self._consumer, events=len(deliveries))

    def _read(self, delivery: Delivery) -> Heard | None:
        try:
            if delivery.message_id is None:
                raise InvalidMessage("no_message_id")
            kind = delivery.kind or ""
            event = decode_event(kind, delivery.schema_version or 0, delivery.body)
        except InvalidMessage as error:
            self._reject(delivery, str(error))
            return None
        return Heard(delivery.message_id, kind, event, delivery.correlation_id, delivery)

    def _handle_until_done(self, waiting: deque[Heard]) -> bool:
        """Holds what waits while Postgres is away. False: it was to stop meanwhile."""
        failures = 0
        while waiting:
            try:
                self._handle_group(waiting)
            except PostgresAway as away:
                failures += 1
                log.warning("postgres is away", failures=failures, reason=str(away.__cause__)[:200])
                self._wait(reconnect_delay_seconds(failures))
                if self.is_stopping:
                    return False
        return True

    def _handle_group(self, waiting: deque[Heard]) -> None:
        """Empties `waiting`; one by one if the group fails, so that what was done is not begun again."""
        try:
            self._commit(waiting)
            waiting.clear()
        except Exception as error:
            _raise_if_nobodys(error)
            log.warning(
                "group failed, going on one by one", consumer=self._consumer, reason=_reason_of(error)
            )
            while waiting:
                self._handle_alone(waiting[0])
                waiting.popleft()

    def _handle_alone(self, heard: Heard) -> None:
        try:
            self._commit([heard])
        except Exception as error:
            _raise_if_nobodys(error)
            self._reject(heard.delivery, _reason_of(error))

    def _commit(self, heard: Sequence[Heard]) -> None:
        with self._engine.begin() as connection:
            self._handle(connection, heard)
        now = datetime.now(UTC)
        for each in heard:
            age_seconds = (now - each.event.occurred_at).total_seconds()
            EVENT_AGE_SECONDS.labels(consumer=self._consumer).observe(max(0.0, age_seconds))
        EVENTS_HANDLED.labels(consumer=self._consumer, result="handled").inc(len(heard))

    def _reject(self, delivery: Delivery, reason: str) -> None:
        with bind(correlation_id=delivery.correlation_id):
            log.error(
                "event rejected",
                consumer=self._consumer,
                kind=delivery.kind,
                message_id=str(delivery.message_id),
                reason=reason,
            )
        self._source.reject(delivery, reason)
        EVENTS_HANDLED.labels(consumer=self._consumer, result="rejected").inc()

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while monotonic() < until and not self.is_stopping:
            self._source.keep_alive()
            sleep(min(STEP_SECONDS, max(0.0, until - monotonic())))


def _raise_if_nobodys(error: Exception) -> None:
    """Raises PostgresAway for what may pass; `error` itself where a table or a grant is not as we think: that
    would be so for every event, and is for whoever deploys."""
    if isinstance(error, ProgrammingError):
        raise error
    if isinstance(error, DBAPIError) and _may_pass(error):
        raise PostgresAway from error


def _may_pass(error: DBAPIError) -> bool:
    """Without a SQLSTATE it is the connection: refused, lost, or not made in time."""
    cause = error.orig
    if error.connection_invalidated or not isinstance(cause, psycopg.Error):
        return True
    return is_momentary(cause) or (isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None)


def _reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {without_values(str(error))}"[:REASON_LIMIT]
