"""Events on Postgres: one inbox row per event and subscription, taken with SKIP LOCKED under a lease.

The publisher is for the relay, the consumer for whoever has a Subscription; each under its own role.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from psycopg.rows import args_row

from bus.embedded.session import Connect, Session, uuids
from bus.port import SUBSCRIPTIONS, BusAway, Delivery, Envelope, Subscription

CHANNEL = "billbus_events"
LEASE_SECONDS = 60.0
# A notification may be lost with a connection, and a lease ends without one.
LOOK_AGAIN_SECONDS = 0.5

_PUT = """
INSERT INTO inbox (consumer, event_id, studio_id, kind, schema_version, body, correlation_id)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (consumer, event_id) DO NOTHING
"""
# `due_at` is the lease: a row whose taker died is due again when it ends.
_TAKE = """
WITH mine AS (
    UPDATE inbox SET due_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s), tries = tries + 1
    WHERE consumer = %(consumer)s AND event_id IN (
        SELECT event_id FROM inbox
        WHERE consumer = %(consumer)s AND state = 'waiting' AND due_at <= clock_timestamp()
        ORDER BY sequence LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING *
)
SELECT event_id, kind, schema_version, body, correlation_id, tries > 1 FROM mine ORDER BY sequence
"""
_FINISH = """
UPDATE inbox SET state = %s WHERE consumer = %s AND event_id = ANY (%s::uuid[]) AND state = 'waiting'
"""
_RENEW = """
UPDATE inbox SET due_at = clock_timestamp() + make_interval(secs => %s)
WHERE consumer = %s AND event_id = ANY (%s::uuid[]) AND state = 'waiting'
"""


class EmbeddedEventPublisher:
    """A `Publisher` of events: taken durably means a row for each subscription that wants them."""

    def __init__(self, connect: Connect, subscriptions: Sequence[Subscription] = SUBSCRIPTIONS) -> None:
        self._session = Session(connect)
        self._subscriptions = subscriptions
        self._lock = threading.Lock()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Publisher.publish`. All or nothing; an event that nobody wants is no fault."""
        rows = [
            (one.consumer, event.message_id, event.studio_id, event.kind, event.schema_version, event.body,
             event.correlation_id)
            for event in envelopes
            for one in self._subscriptions
            if event.route in one.events
        ]  # fmt: skip
        if not rows:
            return
        with self._lock, self._session.using() as connection, connection.transaction():
            connection.cursor().executemany(_PUT, rows)
            connection.execute(f"NOTIFY {CHANNEL}")

    def close(self) -> None:
        with self._lock:
            self._session.close()


class EmbeddedEventConsumer:
    """A `Consumer` of one subscription; several processes may share it."""

    def __init__(self, connect: Connect, consumer: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._session = Session(connect, CHANNEL)
        self._consumer = consumer
        self._lease_seconds = lease_seconds
        self._in_hand: set[UUID] = set()

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See `Consumer.receive`."""
        deadline = time.monotonic() + wait_seconds
        while True:
            with suppress(BusAway):
                if deliveries := self._take(limit):
                    return deliveries
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return []
            with suppress(BusAway):
                self._session.wait(min(remaining, LOOK_AGAIN_SECONDS))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer.acknowledge`. With Postgres away they come again when the lease ends."""
        self._finish("done", deliveries)

    def reject(self, delivery: Delivery, reason: str) -> None:
        """See `Consumer.reject`."""
        self._finish("parked", [delivery])

    def keep_alive(self) -> None:
        """Begins the lease of what is in hand anew."""
        if self._in_hand:
            with suppress(BusAway), self._session.using() as connection:
                connection.execute(_RENEW, [self._lease_seconds, self._consumer, uuids(list(self._in_hand))])

    def close(self) -> None:
        self._session.close()

    def _take(self, limit: int) -> list[Delivery]:
        parameters = {"consumer": self._consumer, "limit": limit, "lease_seconds": self._lease_seconds}
        with self._session.using() as connection:
            cursor = connection.cursor(row_factory=args_row(self._hand_out))
            return cursor.execute(_TAKE, parameters).fetchall()

    def _hand_out(
        self, event_id: UUID, kind: str, schema_version: int, body: bytes, correlation_id: str, again: bool
    ) -> Delivery:
        self._in_hand.add(event_id)
        return Delivery(event_id, kind, schema_version, body, correlation_id, again, event_id)

    def _finish(self, state: str, deliveries: Sequence[Delivery]) -> None:
        event_ids = [delivery.message_id for delivery in deliveries if delivery.message_id is not None]
        self._in_hand.difference_update(event_ids)
        with suppress(BusAway), self._session.using() as connection:
            connection.execute(_FINISH, [state, self._consumer, uuids(event_ids)])
