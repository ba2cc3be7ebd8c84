"""Leave to take money that the provider has not told the end of, though its time is over: nobody knows
whether it was made use of.

Called by the worker, which asks the provider, and by the admin, whose staff may have it asked now. Whether
the attempt is live or at rest makes no difference: its invoice may be closed, or paid by another transaction.
Decides nothing and writes nothing.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from billing.payments import ADMISSION_ASKED_DAYS, ADMISSION_SECONDS
from storage.due import DUE_LIMIT, STUDIO_NOW, story_of
from storage.provider_calls import Subject

# A call that asks about a transaction bears its id.
_IS_UNANSWERED: Final = (
    f"c.closed_at IS NULL AND c.admitted_at <= {STUDIO_NOW} - make_interval(secs => :admission_seconds)"
)
_IS_ASKED_ON: Final = "first_asked_at > clock_timestamp() - make_interval(days => :asked_days)"
_TIMES: Final = {"admission_seconds": ADMISSION_SECONDS, "asked_days": ADMISSION_ASKED_DAYS}

# Asked about at once for the first time, whenever the page is to be looked up; then it is due as that is.
_SILENT: Final = text(f"""
    SELECT DISTINCT a.id, a.studio_id, {story_of("a.id")}
    FROM check_admission c
    JOIN payment_attempt a ON a.id = c.attempt_id
    LEFT JOIN clock_offset o ON o.studio_id = c.studio_id
    CROSS JOIN LATERAL (
        SELECT min(p.started_at) FILTER (WHERE p.request_id = c.transaction_id) AS first_asked_at,
            coalesce(bool_or(p.finished_at IS NULL), false) AS is_out,
            coalesce(bool_or(p.next_at IS NOT NULL), false) AS is_due
        FROM provider_call p WHERE p.attempt_id = a.id
    ) asked
    WHERE {_IS_UNANSWERED} AND NOT is_out
        AND (first_asked_at IS NULL OR NOT is_due AND {_IS_ASKED_ON})
    ORDER BY a.id LIMIT :limit
""")  # noqa: S608  # our own words
# Of several the one that was asked about longest ago.
_FIND: Final = text(f"""
    SELECT c.transaction_id, coalesce({_IS_ASKED_ON}, true)
    FROM check_admission c
    LEFT JOIN clock_offset o ON o.studio_id = c.studio_id
    CROSS JOIN LATERAL (
        SELECT min(p.started_at) AS first_asked_at, max(p.started_at) AS last_asked_at
        FROM provider_call p WHERE p.attempt_id = c.attempt_id AND p.request_id = c.transaction_id
    ) asked
    WHERE c.attempt_id = :attempt_id AND c.invoice_id = :invoice_id AND {_IS_UNANSWERED}
    ORDER BY last_asked_at NULLS FIRST, c.admitted_at, c.id LIMIT 1
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A transaction that had leave to take money, and of which no end was told."""

    transaction_id: str
    # Nobody has asked about it for ADMISSION_ASKED_DAYS yet; then only when somebody wants it.
    is_asked_on: bool


def silent_admissions(connection: Connection) -> list[Subject]:
    """The attempts of transactions that are to be asked about, and about which nothing is due or out."""
    rows = connection.execute(_SILENT, {"limit": DUE_LIMIT, **_TIMES})
    return [Subject("attempt_id", *row) for row in rows]


def find_unanswered(connection: Connection, attempt_id: UUID, invoice_id: UUID) -> Unanswered | None:
    """The transaction of an attempt, and of its invoice, that is to be asked about next."""
    named = {"attempt_id": attempt_id, "invoice_id": invoice_id, **_TIMES}
    row = connection.execute(_FIND, named).one_or_none()
    return None if row is None else Unanswered(*row)
