"""Commands on Postgres: the journal is the queue, in its sequence, and an advisory lock is the partition.

The publisher is for whoever has committed a journal row; the consumer for the billing consumer, under its
role. Who changes a row from 'accepted' has taken it from the queue: acknowledging only forgets it here.

A process keeps two session locks per partition of its own: that it lives (OWNER), and that it consumes
(PARTITION). A stand-by takes a foreign partition only while no owner lives, and gives it back when one does.
A crash ends the session and with it both locks.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from psycopg.rows import args_row, scalar_row

from bus.embedded.session import Connect, Connection, Session, uuids
from bus.messages import PARTITION_COUNT
from bus.port import BusAway, Delivery, Envelope
from bus.topology import partitions_of

CHANNEL = "billbus_commands"
# Classes of two-key advisory locks; the second key is the partition.
PARTITION_LOCK_CLASS = 0x42_42_01
OWNER_LOCK_CLASS = 0x42_42_02
LOCK_BEAT_SECONDS = 1.0
# A notification may be lost with a connection, and a deferred command falls due without one.
LOOK_AGAIN_SECONDS = 0.5

_TAKE = """
SELECT command_id, partition, kind, schema_version, body, correlation_id, publish_count > 0
FROM unnest(%(partitions)s::smallint[]) AS held (number)
CROSS JOIN LATERAL (
    SELECT * FROM command_journal
    WHERE partition = held.number AND state = 'accepted' AND command_id <> ALL (%(in_hand)s::uuid[])
      AND (publish_count = 0 OR republish_at <= clock_timestamp())
    ORDER BY sequence LIMIT %(limit)s
) AS waiting
ORDER BY sequence LIMIT %(limit)s
"""
_LOCK = """
SELECT number FROM unnest(%s::integer[]) AS wanted (number) WHERE pg_try_advisory_lock(%s, number)
"""
_UNLOCK = "SELECT pg_advisory_unlock(%s, number) FROM unnest(%s::integer[]) AS held (number)"
_LIVE_OWNERS = """
SELECT objid::integer FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_PARK = """
UPDATE command_journal SET state = 'parked', answered_at = clock_timestamp(),
    problem = jsonb_build_object('code', 'rejected', 'reason', %s::text)
WHERE command_id = %s AND state = 'accepted'
"""


class EmbeddedCommandPublisher:
    """A `Publisher` of commands that are in the journal already: it wakes the consumers, no more."""

    def __init__(self, connect: Connect) -> None:
        self._session = Session(connect)
        self._lock = threading.Lock()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Publisher.publish`. One NOTIFY without payload: it takes a lock of the whole server."""
        if envelopes:
            with self._lock, self._session.using() as connection:
                connection.execute(f"NOTIFY {CHANNEL}")

    def close(self) -> None:
        with self._lock:
            self._session.close()


class EmbeddedCommandConsumer:
    """A `Consumer` of the partitions p mod `count` = `index`, and of those whose owner does not live."""

    def __init__(self, connect: Connect, index: int, count: int, stand_by_delay_seconds: float) -> None:
        self._session = Session(connect, CHANNEL)
        self._own = partitions_of(index, count)
        self._foreign = tuple(p for p in range(PARTITION_COUNT) if p not in self._own)
        self._stand_by_delay_seconds = stand_by_delay_seconds
        self._start_over()

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
        """See `Consumer.acknowledge`. A command whose row is still 'accepted' comes again when it is due."""
        for delivery in deliveries:
            self._in_hand.pop(delivery.receipt, None)

    def reject(self, delivery: Delivery, reason: str) -> None:
        """See `Consumer.reject`. With Postgres away it comes again."""
        with suppress(BusAway), self._session.using() as connection:
            connection.execute(_PARK, [reason, delivery.message_id])
        self._in_hand.pop(delivery.receipt, None)

    def keep_alive(self) -> None:
        """Nothing to do: the locks last as long as the connection."""

    def close(self) -> None:
        self._session.close()

    def _start_over(self) -> None:
        """Another connection: no locks, nothing in hand."""
        self._generation = self._session.generation
        self._owned: set[int] = set()
        self._held: set[int] = set()
        self._in_hand: dict[object, int] = {}  # partition by command id
        self._stand_by_at = time.monotonic() + self._stand_by_delay_seconds
        self._next_beat_at = 0.0

    def _take(self, limit: int) -> list[Delivery]:
        with self._session.using() as connection:
            if self._generation != self._session.generation:
                self._start_over()
            if time.monotonic() >= self._next_beat_at:
                self._tend_locks(connection)
            parameters = {
                "partitions": sorted(self._held),
                "in_hand": uuids(list(self._in_hand)),
                "limit": limit,
            }
            cursor = connection.cursor(row_factory=args_row(self._hand_out))
            return cursor.execute(_TAKE, parameters).fetchall()

    def _hand_out(
        self,
        command_id: UUID,
        partition: int,
        kind: str,
        schema_version: int,
        body: bytes,
        correlation_id: str,
        redelivered: bool,
    ) -> Delivery:
        self._in_hand[command_id] = partition
        return Delivery(command_id, kind, schema_version, body, correlation_id, redelivered, command_id)

    def _tend_locks(self, connection: Connection) -> None:
        self._next_beat_at = time.monotonic() + LOCK_BEAT_SECONDS
        _lock(connection, OWNER_LOCK_CLASS, self._own, self._owned)
        _lock(connection, PARTITION_LOCK_CLASS, self._own, self._held)
        if self._foreign:
            with connection.cursor(row_factory=scalar_row) as cursor:
                owned = set(cursor.execute(_LIVE_OWNERS, [OWNER_LOCK_CLASS]))
            self._give_back(connection, owned)
            if time.monotonic() >= self._stand_by_at:
                free = [partition for partition in self._foreign if partition not in owned]
                _lock(connection, PARTITION_LOCK_CLASS, free, self._held)

    def _give_back(self, connection: Connection, owned: set[int]) -> None:
        """Only partitions with nothing in hand: the owner must not receive what is being applied here."""
        returned = (self._held & owned).difference(self._own, self._in_hand.values())
        if returned:
            connection.execute(_UNLOCK, [PARTITION_LOCK_CLASS, list(returned)])
            self._held -= returned


def _lock(connection: Connection, lock_class: int, partitions: Sequence[int], held: set[int]) -> None:
    """Takes what is free and adds it to `held`. Session locks are counted: none is asked for twice."""
    wanted = [partition for partition in partitions if partition not in held]
    if wanted:
        with connection.cursor(row_factory=scalar_row) as cursor:
            held.update(cursor.execute(_LOCK, [wanted, lock_class]))
