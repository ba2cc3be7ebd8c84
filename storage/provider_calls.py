"""The worker's own table: one row per call to a provider, committed before any byte leaves.

The live row (no `finished_at`) is the lease: a partial unique index lets one call at a time exist per attempt
and per refund. `next_at` on the newest row is when the subject is to be looked at again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import orjson
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from kit.ids import new_id
from storage.due import DUE_LIMIT, story_of

CallKind = Literal["create", "refund", "look_up"]
SubjectColumn = Literal["attempt_id", "refund_id"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is called about: a payment attempt or a refund, and the request that it began with."""

    column: SubjectColumn
    id: UUID
    studio_id: UUID
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has been recorded and may now be made."""

    id: UUID
    subject: Subject
    kind: CallKind
    number: int


@dataclass(frozen=True, slots=True)
class History:
    """What has been tried for one subject. `misses`: how often the provider did not know it itself; a
    transaction of an attempt is asked about by the provider's id for it."""

    calls: int
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    misses: int
    has_definite_answer: bool


_HISTORY = {
    column: text(f"""
        SELECT count(*), min(started_at) FILTER (WHERE kind <> 'look_up'),
            max(started_at) FILTER (WHERE kind <> 'look_up'),
            count(*) FILTER (WHERE outcome = 'not_found' AND request_id = CAST(:subject AS text)),
            coalesce(bool_or(kind <> 'look_up' AND outcome NOT IN ('unknown', 'not_sent')), false)
        FROM provider_call WHERE {column} = :subject
    """)  # noqa: S608  # the column is one of two literals
    for column in ("attempt_id", "refund_id")
}
_BEGIN = {
    column: text(f"""
        INSERT INTO provider_call (id, studio_id, kind, {column}, call_number, request_id, body_hash,
            started_at, lease_until)
        SELECT :id, :studio_id, :kind, :subject, coalesce(max(call_number), 0) + 1, :request_id, :body_hash,
            clock_timestamp(), clock_timestamp() + make_interval(secs => :lease_seconds)
        FROM provider_call WHERE {column} = :subject
        RETURNING call_number
    """)  # noqa: S608
    for column in ("attempt_id", "refund_id")
}
_FORGET_DUE = {
    column: text(f"UPDATE provider_call SET next_at = NULL WHERE {column} = :subject AND next_at IS NOT NULL")  # noqa: S608
    for column in ("attempt_id", "refund_id")
}
# A late answer replaces the `unknown` that a sweep wrote when the lease was over: it is evidence.
_FINISH = text("""
    UPDATE provider_call SET outcome = :outcome, answer = CAST(:answer AS jsonb),
        finished_at = clock_timestamp(), next_at = clock_timestamp() + make_interval(secs => :next_seconds)
    WHERE id = :id AND (finished_at IS NULL OR outcome = 'unknown')
""")


def history_of(connection: Connection, subject: Subject) -> History:
    """How often and when a subject was called about; look-ups are not sendings."""
    return History(*connection.execute(_HISTORY[subject.column], {"subject": subject.id}).one())


def begin_call(
    connection: Connection,
    subject: Subject,
    kind: CallKind,
    *,
    request_id: str,
    body_hash: bytes,
    lease_seconds: float,
) -> Call | None:
    """Records the call; the caller commits and only then sends. None if somebody else's call is live."""
    row = {
        "id": new_id(),
        "studio_id": subject.studio_id,
        "kind": kind,
        "subject": subject.id,
        "request_id": request_id,
        "body_hash": body_hash,
        "lease_seconds": lease_seconds,
    }
    try:
        with connection.begin_nested():
            number = connection.execute(_BEGIN[subject.column], row).scalar_one()
            connection.execute(_FORGET_DUE[subject.column], {"subject": subject.id})
    except IntegrityError:
        return None
    return Call(row["id"], subject, kind, number)  # type: ignore[arg-type]


def forget_due(connection: Connection, subject: Subject) -> None:
    """Nothing more is to be asked about this subject; its rows would be due for ever."""
    connection.execute(_FORGET_DUE[subject.column], {"subject": subject.id})


def finish_call(
    connection: Connection,
    call_id: UUID,
    outcome: str,
    answer: Mapping[str, object],
    next_seconds: float | None,
) -> None:
    """Stores what came back, and when to look again: in the transaction that journals the outcome."""
    row = {
        "id": call_id,
        "outcome": outcome,
        "answer": orjson.dumps(answer).decode(),
        "next_seconds": next_seconds,
    }
    connection.execute(_FINISH, row)


# ------------------------------------------------------------------ what is due


# Sent, but no call was ever recorded: the task was lost, so nothing has gone out.
_LOST_STARTS = text(f"""
    SELECT a.id, a.studio_id, {story_of("a.id")}
    FROM payment_attempt a
    WHERE a.state = 'sent' AND a.updated_at < clock_timestamp() - make_interval(secs => :lost_seconds)
      AND NOT EXISTS (SELECT FROM provider_call c WHERE c.attempt_id = a.id)
    ORDER BY a.id LIMIT :limit
""")  # noqa: S608
_LOST_REFUNDS = text(f"""
    SELECT r.id, r.studio_id, {story_of("r.id")}
    FROM refund r
    WHERE r.state = 'sent' AND r.updated_at < clock_timestamp() - make_interval(secs => :lost_seconds)
      AND NOT EXISTS (SELECT FROM provider_call c WHERE c.refund_id = r.id)
    ORDER BY r.id LIMIT :limit
""")  # noqa: S608
# A page was offered and nothing was heard: the callback may be lost.
_SILENT_PAGES = text(f"""
    SELECT a.id, a.studio_id, {story_of("a.id")}
    FROM payment_attempt a
    WHERE a.state = 'requires_action'
      AND a.updated_at < clock_timestamp() - make_interval(secs => :silent_seconds)
      AND NOT EXISTS (SELECT FROM provider_call c WHERE c.attempt_id = a.id
          AND (c.finished_at IS NULL OR c.next_at IS NOT NULL))
    ORDER BY a.id LIMIT :limit
""")  # noqa: S608
_LEASES_OVER = text(f"""
    SELECT id, kind, attempt_id, refund_id, studio_id,
        {story_of("coalesce(attempt_id, refund_id)")}
    FROM provider_call
    WHERE finished_at IS NULL AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT :limit
""")  # noqa: S608
# Claimed by moving the due time: should the task be lost, it is due again.
_CLAIM_DUE = text(f"""
    UPDATE provider_call SET next_at = clock_timestamp() + make_interval(secs => :claim_seconds)
    WHERE id IN (SELECT id FROM provider_call WHERE next_at <= clock_timestamp() AND finished_at IS NOT NULL
        ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING attempt_id, refund_id, studio_id,
        {story_of("coalesce(attempt_id, refund_id)")}
""")  # noqa: S608


def lost_starts(connection: Connection, lost_seconds: float) -> list[Subject]:
    rows = connection.execute(_LOST_STARTS, {"lost_seconds": lost_seconds, "limit": DUE_LIMIT})
    return [Subject("attempt_id", *row) for row in rows]


def lost_refunds(connection: Connection, lost_seconds: float) -> list[Subject]:
    rows = connection.execute(_LOST_REFUNDS, {"lost_seconds": lost_seconds, "limit": DUE_LIMIT})
    return [Subject("refund_id", *row) for row in rows]


def silent_pages(connection: Connection, silent_seconds: float) -> list[Subject]:
    rows = connection.execute(_SILENT_PAGES, {"silent_seconds": silent_seconds, "limit": DUE_LIMIT})
    return [Subject("attempt_id", *row) for row in rows]


def leases_over(connection: Connection) -> list[Call]:
    """Calls whose worker never came back: nobody knows what the provider did."""
    rows = connection.execute(_LEASES_OVER, {"limit": DUE_LIMIT})
    return [Call(row.id, _subject_of(row), row.kind, 0) for row in rows]


def claim_due(connection: Connection, claim_seconds: float) -> list[Subject]:
    """Subjects to look up now; nobody else gets them for `claim_seconds`."""
    rows = connection.execute(_CLAIM_DUE, {"claim_seconds": claim_seconds, "limit": DUE_LIMIT})
    return [_subject_of(row) for row in rows]


def _subject_of(row: Row[tuple[object, ...]]) -> Subject:
    if row.attempt_id is not None:
        return Subject("attempt_id", row.attempt_id, row.studio_id, row.correlation_id)
    return Subject("refund_id", row.refund_id, row.studio_id, row.correlation_id)
