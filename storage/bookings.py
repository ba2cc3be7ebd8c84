"""Bookings whose time has come by their studio's clock, in bounded pages, and the time that one has now.

Called by the worker's sweep and by whoever plans messages about bookings. Decides nothing and writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from booking.rules.machine import COMPLETE_AFTER, HELD

DUE_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class DueBooking:
    """A booking with which something is to be done. `correlation_id` is the one that it began with."""

    id: UUID
    studio_id: UUID
    customer_id: UUID
    ends_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class BookingTime:
    """When and where a booking is now. `slot` is hall, start and end; `clock_offset` is how far the studio's
    clock is ahead of the world's."""

    state: str
    slot: tuple[UUID, datetime, datetime]
    clock_offset: timedelta


# Offsets of clocks are few, and only test studios have any: the largest bounds the walk in the index.
_LATEST = "(SELECT make_interval(secs => greatest(max(offset_seconds), 0)) FROM clock_offset)"
_OFFSET = "make_interval(secs => coalesce(o.offset_seconds, 0))"


def _due(states: str, column: str) -> TextClause:
    """Those in `states` whose `column` has been for `after` seconds; the longest first."""
    before = "clock_timestamp() - make_interval(secs => :after)"
    return text(f"""
        SELECT b.id, b.studio_id, b.customer_id, b.ends_at,
            (SELECT correlation_id FROM state_event e WHERE e.aggregate_id = b.id AND e.version = 1)
        FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
        WHERE b.state {states} AND b.{column} <= {before} + {_LATEST} AND b.{column} <= {before} + {_OFFSET}
        ORDER BY b.{column}, b.id LIMIT :limit
    """)  # noqa: S608  # all of it is of this module


# Written as the conditions of their indexes are.
_OVERDUE = _due(f"IN ({', '.join(repr(state) for state in sorted(HELD, reverse=True))})", "hold_expires_at")
_FINISHED = _due("= 'confirmed'", "ends_at")

_TIME = text("""
    SELECT b.state, b.hall_id, b.starts_at, b.ends_at, COALESCE(o.offset_seconds, 0) AS offset_seconds
    FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
    WHERE b.id = :id
""")


def overdue_holds(connection: Connection) -> list[DueBooking]:
    """Holds that were not paid until their deadline."""
    rows = connection.execute(_OVERDUE, {"after": 0, "limit": DUE_LIMIT})
    return [DueBooking(*row) for row in rows]


def finished_bookings(connection: Connection) -> list[DueBooking]:
    """Confirmed bookings that have been over for so long that they are to be completed."""
    after_seconds = COMPLETE_AFTER.total_seconds()
    rows = connection.execute(_FINISHED, {"after": after_seconds, "limit": DUE_LIMIT})
    return [DueBooking(*row) for row in rows]


def find_booking_time(connection: Connection, booking_id: UUID) -> BookingTime | None:
    row = connection.execute(_TIME, {"id": booking_id}).one_or_none()
    if row is None:
        return None
    slot = (row.hall_id, row.starts_at, row.ends_at)
    return BookingTime(row.state, slot, timedelta(seconds=row.offset_seconds))
