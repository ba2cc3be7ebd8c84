"""The log of events: every event and every error once, and which of them the search index still wants.

Written by the events process, which also claims from it for the search index; the admin has lists of it. What
an event means is not decided here, and of a row nothing ever changes but how far its indexing is.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

_RECORD = text("""
    INSERT INTO event_log (event_id, studio_id, kind, schema_version, is_error, customer_id, subject_id, body,
        correlation_id, occurred_at)
    VALUES (:event_id, :studio_id, :kind, :schema_version, :is_error, :customer_id, :subject_id, :body,
        :correlation_id, :occurred_at)
    ON CONFLICT (event_id) DO NOTHING
""").bindparams(bindparam("body", type_=JSONB))
# By a state column, never by a last sequence: they commit out of order.
_CLAIM = text("""
    UPDATE event_log SET index_due_at = clock_timestamp() + make_interval(secs => :claim_seconds),
        index_tries = index_tries + 1
    WHERE event_id IN (SELECT event_id FROM event_log
        WHERE indexed_at IS NULL AND index_due_at <= clock_timestamp()
        ORDER BY index_due_at, sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING event_id, sequence, studio_id, kind, is_error, customer_id, subject_id, body, correlation_id,
        occurred_at
""")
_MARK = text("""
    UPDATE event_log SET indexed_at = clock_timestamp(), index_problem = NULL
    WHERE event_id = ANY(:ids) AND indexed_at IS NULL
""")
_PUT_OFF = text("""
    UPDATE event_log SET index_due_at = clock_timestamp() + make_interval(secs => :seconds),
        index_problem = :problem
    WHERE event_id = ANY(:ids) AND indexed_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class EventEntry:
    """An event as it is logged. `subject_id` is the aggregate that it tells of; `body` is its JSON."""

    event_id: UUID
    studio_id: UUID
    kind: str
    schema_version: int
    is_error: bool
    customer_id: UUID | None
    subject_id: UUID
    body: dict[str, object]
    correlation_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A row of the log as the search index wants it. `sequence` is the order of logging."""

    event_id: UUID
    sequence: int
    studio_id: UUID
    kind: str
    is_error: bool
    customer_id: UUID | None
    subject_id: UUID
    body: dict[str, object]
    correlation_id: str
    occurred_at: datetime


def record(connection: Connection, entries: Sequence[EventEntry]) -> int:
    """Writes what is not there yet, in the caller's transaction. Returns how many were new.

    Idempotent by event id.
    """
    return sum(connection.execute(_RECORD, asdict(entry)).rowcount for entry in entries)


def claim_unindexed(connection: Connection, claim_seconds: float, limit: int) -> list[LoggedEvent]:
    """What is due for the search index, longest due first, at most `limit`, in the order of logging.

    Due again after `claim_seconds` unless it is marked or put off. Commit before indexing.
    """
    rows = connection.execute(_CLAIM, {"claim_seconds": claim_seconds, "limit": limit}).all()
    return sorted((LoggedEvent(*row) for row in rows), key=lambda event: event.sequence)


def mark_indexed(connection: Connection, ids: Sequence[UUID]) -> None:
    """The search index has them. Idempotent."""
    connection.execute(_MARK, {"ids": list(ids)})


def put_off_indexing(connection: Connection, ids: Sequence[UUID], seconds: float, problem: str) -> None:
    """They are due again in `seconds`; `problem` is for a person."""
    connection.execute(_PUT_OFF, {"ids": list(ids), "seconds": seconds, "problem": problem})
