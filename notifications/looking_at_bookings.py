"""One look at storage for one booking that a message is about.

Called by `notifications.looking` in its transaction. Halls and extras are named as they are called now.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from billing.refunds import RESERVING
from booking.rules.machine import LIVE
from booking.rules.terms import Tier, read_terms
from notifications.money import Money
from notifications.occasions import Slot
from notifications.situations import BookingNow
from storage.bookings import get_booking_money

# What its last step gave back was begun by the same command as the step.
_LOOK: Final = text("""
    SELECT b.state, b.origin, b.payment, b.hall_id, b.starts_at, b.ends_at, hall.name AS hall_name, b.people,
        b.total_minor, b.currency, b.terms, b.refund_percent_max, b.hold_expires_at,
        COALESCE((SELECT jsonb_agg(jsonb_build_array(extra.name, used.quantity) ORDER BY extra.name)
            FROM extra_use used JOIN extra ON extra.id = used.extra_id
            WHERE used.booking_id = b.id AND used.released_at IS NULL), '[]') AS extras,
        (SELECT COALESCE(sum(r.amount_minor), 0) FROM invoice i JOIN refund r ON r.invoice_id = i.id
            JOIN state_event begun ON begun.aggregate_id = r.id AND begun.version = 1
            WHERE i.booking_id = b.id AND r.state = ANY(:going_back)
                AND begun.command_id = step.command_id) AS given_back_minor,
        EXISTS (SELECT FROM state_event e WHERE e.aggregate_id = b.id AND e.trigger = 'reinstate')
            AS was_lost,
        EXISTS (SELECT FROM booking other WHERE other.customer_id = b.customer_id AND other.id <> b.id
            AND other.state = ANY(:live) AND other.starts_at < b.ends_at AND other.ends_at > b.starts_at)
            AS has_successor
    FROM booking b
    JOIN hall ON hall.id = b.hall_id
    JOIN state_event step ON step.aggregate_id = b.id AND step.version = b.version
    WHERE b.id = :id
""")


def get_booking(connection: Connection, booking_id: UUID) -> BookingNow:
    """The booking as it is. Its key is one that was read: there is such a booking."""
    row = connection.execute(
        _LOOK,
        {"id": booking_id, "live": sorted(LIVE), "going_back": sorted(RESERVING | {"succeeded"})},
    ).one()
    return BookingNow(
        id=booking_id,
        state=row.state,
        origin=row.origin,
        payment=row.payment,
        slot=Slot(row.hall_id, row.starts_at, row.ends_at),
        hall_name=row.hall_name,
        people=row.people,
        extras=tuple((name, quantity) for name, quantity in row.extras),
        total=Money(row.total_minor, row.currency),
        paid=Money(get_booking_money(connection, booking_id).left_minor, row.currency),
        given_back=Money(int(row.given_back_minor), row.currency),
        hold_expires_at=row.hold_expires_at,
        terms=tuple(
            Tier(tier.hours_before, min(tier.refund_percent, row.refund_percent_max))
            for tier in read_terms(row.terms)
        ),
        was_lost=row.was_lost,
        has_successor=row.has_successor,
    )
