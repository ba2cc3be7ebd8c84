"""Subscriptions whose period is about to end, or over, by their studio's clock: in bounded pages.

Called by the jobs `renewal` and `reminder`. Pages follow the index of period ends, each from where the last
one stopped, so that a run is one walk however long it is. Decides nothing and writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from storage.due import LATEST, OFFSET

PAGE_LIMIT = 200


class Place(NamedTuple):
    """Where a page stopped."""

    period_end: datetime
    subscription_id: UUID


START = Place(datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class DueSubscription:
    """`studio_now` is when the studio's clock says it is."""

    id: UUID
    studio_id: UUID
    customer_id: UUID
    period_end: datetime
    studio_now: datetime

    @property
    def place(self) -> Place:
        return Place(self.period_end, self.id)


@dataclass(frozen=True, slots=True)
class DueReminder:
    """The nearest reminder that is due: `days_before` the end. The invoice is the open one of what follows.

    `clock_offset` is how far the studio's clock, which `studio_now` is read from, is ahead of the world's.
    """

    id: UUID
    studio_id: UUID
    customer_id: UUID
    period_end: datetime
    studio_now: datetime
    clock_offset: timedelta
    timezone: str
    is_ending: bool
    days_before: int
    invoice_id: UUID | None
    amount_minor: int | None
    currency: str | None

    @property
    def place(self) -> Place:
        return Place(self.period_end, self.id)


# As LATEST, on the other side. Asked for apart, both are known before the walk begins.
_EARLIEST = "(SELECT make_interval(secs => least(min(offset_seconds), 0)) FROM clock_offset)"
_STUDIO_NOW = f"CAST(:now AS timestamptz) + {OFFSET}"
_FROM = "FROM subscription s LEFT JOIN clock_offset o ON o.studio_id = s.studio_id"
_AFTER = "s.state = 'active' AND (s.current_period_end, s.id) > (:after_end, :after_id)"
_ORDER = "ORDER BY s.current_period_end, s.id LIMIT :limit"

# An invoice of the next period that was not taken back: that one is being paid, or has expired. Where periods
# are short, not before the middle of the one that runs: who has just paid is not billed again at once.
_TO_RENEW = text(f"""
    SELECT s.id, s.studio_id, s.customer_id, s.current_period_end, {_STUDIO_NOW}
    {_FROM}
    WHERE {_AFTER} AND NOT s.cancel_at_period_end
      AND s.current_period_end - (s.current_period_end - s.current_period_start) / 2 <= {_STUDIO_NOW}
      AND s.current_period_end <= CAST(:now AS timestamptz) + make_interval(days => :days) + {LATEST}
      AND s.current_period_end <= {_STUDIO_NOW} + make_interval(days => :days)
      AND NOT EXISTS (SELECT FROM invoice i WHERE i.subscription_id = s.id
          AND i.period_start = s.current_period_end AND i.state <> 'void')
    {_ORDER}
""")  # noqa: S608  # made of literals of this module
_TO_END = text(f"""
    SELECT s.id, s.studio_id, s.customer_id, s.current_period_end, {_STUDIO_NOW}
    {_FROM}
    WHERE {_AFTER} AND s.cancel_at_period_end
      AND s.current_period_end <= CAST(:now AS timestamptz) + {LATEST}
      AND s.current_period_end <= {_STUDIO_NOW}
    {_ORDER}
""")
# The period as `occasion` of a reminder begins with it: what Python's isoformat makes of an instant in UTC.
_PERIOD = """
    to_char(s.current_period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
    || CASE WHEN CAST(extract(microseconds FROM s.current_period_end) AS bigint) % 1000000 = 0 THEN ''
        ELSE to_char(s.current_period_end AT TIME ZONE 'UTC', '.US') END
    || '+00:00/'
"""
# One that was told of this end, at this distance or nearer, is not told again, wherever the clock goes.
_TO_REMIND = text(f"""
    SELECT s.id, s.studio_id, s.customer_id, s.current_period_end, {_STUDIO_NOW}, {OFFSET}, studio.timezone,
        s.cancel_at_period_end, due.days_before, i.id, i.total_minor - i.paid_minor, i.currency
    {_FROM}
    JOIN studio ON studio.id = s.studio_id
    CROSS JOIN LATERAL (
        SELECT min(days) AS days_before FROM unnest(CAST(:days AS integer[])) AS days
        WHERE s.current_period_end - make_interval(days => days) <= {_STUDIO_NOW}) AS due
    LEFT JOIN invoice i ON i.subscription_id = s.id AND i.period_start = s.current_period_end
        AND i.state = 'open'
    WHERE {_AFTER} AND due.days_before IS NOT NULL AND s.current_period_end > {_STUDIO_NOW}
      AND s.current_period_end > CAST(:now AS timestamptz) + {_EARLIEST}
      AND s.current_period_end <= CAST(:now AS timestamptz) + make_interval(days => :most_days)
          + {LATEST}
      AND NOT EXISTS (SELECT FROM notification n WHERE n.studio_id = s.studio_id AND n.subject_id = s.id
          AND n.kind = CASE WHEN s.cancel_at_period_end THEN 'period_end' ELSE 'renewal' END
          AND starts_with(n.occasion, {_PERIOD})
          AND CAST(split_part(n.occasion, '/', 2) AS integer) <= due.days_before)
    {_ORDER}
""")  # noqa: S608
_REFUSED = text("SELECT command_id FROM command_journal WHERE command_id = ANY(:ids) AND state = 'refused'")


def list_to_renew(
    connection: Connection, now: datetime, days_before: int, after: Place, limit: int = PAGE_LIMIT
) -> list[DueSubscription]:
    """Active ones that go on, whose period is half over and ends within `days_before` days, and that have
    no invoice for what follows."""
    asked = _page(now, after, limit) | {"days": days_before}
    return [DueSubscription(*row) for row in connection.execute(_TO_RENEW, asked)]


def list_to_end(
    connection: Connection, now: datetime, after: Place, limit: int = PAGE_LIMIT
) -> list[DueSubscription]:
    """Active ones that were to end with their period, when it is over."""
    return [DueSubscription(*row) for row in connection.execute(_TO_END, _page(now, after, limit))]


def list_to_remind(
    connection: Connection, now: datetime, days_before: Sequence[int], after: Place, limit: int = PAGE_LIMIT
) -> list[DueReminder]:
    """Active ones before whose end a reminder is due that was not planned yet; of several the nearest."""
    asked = _page(now, after, limit) | {"days": list(days_before), "most_days": max(days_before)}
    return [DueReminder(*row) for row in connection.execute(_TO_REMIND, asked)]


def list_refused(connection: Connection, command_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these commands were refused."""
    return set(connection.scalars(_REFUSED, {"ids": list(command_ids)}))


def _page(now: datetime, after: Place, limit: int) -> dict[str, object]:
    return {"now": now, "after_end": after.period_end, "after_id": after.subscription_id, "limit": limit}
