"""Bookings whose time has come by their studio's clock, in bounded pages; the time and the money of one.

Called by the worker's sweep, by whoever plans messages about bookings, and by the APIs before a booking is
canceled or moved. Decides nothing and writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from billing.refunds import GOING_BACK, WITHDRAWABLE
from booking.rules.machine import COMPLETE_AFTER, EXPIRY_WAIT, HELD
from booking.rules.money import BookingMoney
from storage.due import DUE_LIMIT, LATEST, OFFSET, STUDIO_NOW, story_of
from storage.invoices import MOVING, money_may_move


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


def _due(states: str, column: str, condition: str = "true") -> TextClause:
    """Those in `states` whose `column` has been for `after` seconds; the longest first."""
    before = "clock_timestamp() - make_interval(secs => :after)"
    return text(f"""
        SELECT b.id, b.studio_id, b.customer_id, b.ends_at, {story_of("b.id")}
        FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
        WHERE b.state {states} AND b.{column} <= {before} + {LATEST} AND b.{column} <= {before} + {OFFSET}
            AND ({condition})
        ORDER BY b.{column}, b.id LIMIT :limit
    """)  # noqa: S608  # all of it is of this module


# Money may be moving for a hold, so it waits. Were those that wait found all the same, they would fill every
# page when a provider is away, and keep others from being let go.
_DOES_NOT_WAIT = f"""
    b.hold_expires_at <= {STUDIO_NOW} - make_interval(secs => :wait)
    OR NOT EXISTS (SELECT FROM invoice i WHERE i.booking_id = b.id AND i.state = 'open'
        AND {money_may_move("i.id", STUDIO_NOW)})
"""

# Written as the conditions of their indexes are.
_OVERDUE = _due(
    f"IN ({', '.join(repr(state) for state in sorted(HELD, reverse=True))})",
    "hold_expires_at",
    _DOES_NOT_WAIT,
)
_FINISHED = _due("= 'confirmed'", "ends_at")

_TIME = text("""
    SELECT b.state, b.hall_id, b.starts_at, b.ends_at, COALESCE(o.offset_seconds, 0) AS offset_seconds
    FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
    WHERE b.id = :id
""")
# A payment counts what went back of it, and what is reserved to go.
_MONEY = text("""
    SELECT total_minor, paid.minor, paid.returned_minor - refunds.asked_minor, (
        SELECT CAST(COALESCE(sum(i.total_minor), 0) AS bigint) FROM invoice i
        WHERE i.booking_id = b.id AND i.state = 'open'), refunds.moved_back_minor
    FROM booking b CROSS JOIN LATERAL (
        SELECT CAST(COALESCE(sum(p.amount_minor), 0) AS bigint) AS minor,
            CAST(COALESCE(sum(p.refunded_minor + p.reserved_minor), 0) AS bigint) AS returned_minor
        FROM invoice i JOIN provider_payment p ON p.invoice_id = i.id WHERE i.booking_id = b.id
    ) AS paid CROSS JOIN LATERAL (
        SELECT CAST(COALESCE(sum(r.amount_minor) FILTER (WHERE r.state = ANY (:undecided)), 0) AS bigint)
                AS asked_minor,
            CAST(COALESCE(sum(r.amount_minor) FILTER (WHERE r.origin = 'terms' AND r.state = ANY (:going)), 0)
                AS bigint) AS moved_back_minor
        FROM invoice i JOIN refund r ON r.invoice_id = i.id WHERE i.booking_id = b.id
    ) AS refunds
    WHERE b.id = :id
""")


def overdue_holds(connection: Connection) -> list[DueBooking]:
    """Holds that were not paid until their deadline, and for which no money may be moving any more."""
    asked = {
        "after": 0,
        "limit": DUE_LIMIT,
        "wait": EXPIRY_WAIT.total_seconds(),
        **MOVING,
    }
    rows = connection.execute(_OVERDUE, asked)
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


def get_booking_money(connection: Connection, booking_id: UUID) -> BookingMoney:
    """Of a booking that is there: its key is one that was read."""
    asked = {"id": booking_id, "undecided": sorted(WITHDRAWABLE), "going": sorted(GOING_BACK)}
    return BookingMoney(*connection.execute(_MONEY, asked).one())
