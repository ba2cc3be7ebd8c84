"""What the relay reads and marks: outbox rows that wait to leave, and commands that stay unapplied.

Both are claimed first (a due time is moved and committed) and published then, so that no transaction is open
over a publish. A claim that is never finished is due again: a message may leave twice, never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from bus.port import Envelope

PAGE_LIMIT = 500

# By a state column, never by a last id: sequences commit out of order.
_CLAIM_OUTBOX = text("""
    UPDATE outbox SET claimed_until = clock_timestamp() + make_interval(secs => :claim_seconds),
        publish_count = publish_count + 1
    WHERE id IN (SELECT id FROM outbox WHERE published_at IS NULL
            AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        ORDER BY sequence LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, sequence, studio_id, channel, kind, schema_version, body::text AS body, correlation_id,
        causation_id
""")
_MARK_PUBLISHED = text("""
    UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY(:ids) AND published_at IS NULL
""")
_RELEASE = text("UPDATE outbox SET claimed_until = NULL WHERE id = ANY(:ids) AND published_at IS NULL")
# 15 s, doubled up to 10 min. For whoever sets a command's next publishing: the relay, the consumer.
LATER = """publish_count = publish_count + 1,
        republish_at = clock_timestamp() + least(interval '10 minutes',
            interval '15 seconds' * power(2, least(publish_count, 10)))"""
_CLAIM_COMMANDS = text(f"""
    UPDATE command_journal SET {LATER}
    WHERE command_id IN (SELECT command_id FROM command_journal
        WHERE state = 'accepted' AND republish_at <= clock_timestamp()
        ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING command_id, sequence, studio_id, partition, kind, schema_version, body, correlation_id,
        causation_id
""")  # noqa: S608  # our own words
_RELEASE_COMMANDS = text("""
    UPDATE command_journal SET publish_count = publish_count - 1, republish_at = clock_timestamp()
    WHERE command_id = ANY(:ids) AND state = 'accepted' AND publish_count > 0
""")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed outbox row. `channel` is `event` or `task`."""

    id: UUID
    studio_id: UUID
    channel: str
    kind: str
    schema_version: int
    body: str
    correlation_id: str
    causation_id: UUID

    def envelope(self) -> Envelope:
        return Envelope(
            message_id=self.id,
            route=self.kind,
            kind=self.kind,
            schema_version=self.schema_version,
            body=self.body.encode(),
            correlation_id=self.correlation_id,
            studio_id=self.studio_id,
            causation_id=self.causation_id,
        )


def claim_outbox(connection: Connection, claim_seconds: float) -> list[Outgoing]:
    """The oldest rows that wait, in their order, at most PAGE_LIMIT; due again after `claim_seconds`."""
    rows = connection.execute(_CLAIM_OUTBOX, {"limit": PAGE_LIMIT, "claim_seconds": claim_seconds}).all()
    return [
        Outgoing(
            row.id,
            row.studio_id,
            row.channel,
            row.kind,
            row.schema_version,
            row.body,
            row.correlation_id,
            row.causation_id,
        )
        for row in sorted(rows, key=lambda row: row.sequence)
    ]


def mark_published(connection: Connection, ids: Sequence[UUID]) -> None:
    connection.execute(_MARK_PUBLISHED, {"ids": list(ids)})


def release(connection: Connection, ids: Sequence[UUID]) -> None:
    """Gives claimed rows back at once, after a publish that failed."""
    connection.execute(_RELEASE, {"ids": list(ids)})


def claim_unapplied_commands(connection: Connection) -> list[Envelope]:
    """Commands whose time to be published again has come, in the order of their acceptance."""
    rows = connection.execute(_CLAIM_COMMANDS, {"limit": PAGE_LIMIT}).all()
    return [
        Envelope(
            message_id=row.command_id,
            route=str(row.partition),
            kind=row.kind,
            schema_version=row.schema_version,
            body=bytes(row.body),
            correlation_id=row.correlation_id,
            studio_id=row.studio_id,
            causation_id=row.causation_id,
        )
        for row in sorted(rows, key=lambda row: row.sequence)
    ]


def release_commands(connection: Connection, ids: Sequence[UUID]) -> None:
    """Gives claimed commands back at once: a bus that was away must not double their pause."""
    connection.execute(_RELEASE_COMMANDS, {"ids": list(ids)})
