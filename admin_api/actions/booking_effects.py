"""What letting a booking go, or moving it, does to its money: said before anybody confirms.

Called by the actions on bookings; nothing is written here. The updater counts again under locks.
"""

from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import EffectLine
from admin_api.actions.rows import AnyRow, get_booking
from admin_api.desk import Desk
from booking.rules.machine import HELD
from booking.rules.terms import read_terms, refund_percent, to_give_back
from bus.messages import CancelBooking, Command, RescheduleBooking
from storage.catalog import get_calendar

WHOLE: Final = 100


def announce_cancellation(desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    """How much goes back, and what the studio keeps; nothing for a booking that nobody has paid."""
    assert isinstance(command, CancelBooking)
    booking = get_booking(connection, command.booking_id)
    if booking.state in HELD or booking.paid_minor == 0:
        return ()
    percent = command.refund_percent
    if percent is None:
        percent = _percent_now(desk, connection, booking)
    return (given_back(booking, percent),)


def announce_move(desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    """What it costs then, and what of the difference goes back. One to pay is an invoice's sentence."""
    assert isinstance(command, RescheduleBooking)
    booking = get_booking(connection, command.booking_id)
    new_minor = command.offer.total_minor
    difference_minor = new_minor - booking.total_minor
    facts: dict[str, JsonValue] = {
        "old_minor": booking.total_minor,
        "new_minor": new_minor,
        "difference_minor": abs(difference_minor),
        "currency": booking.currency,
    }
    code = "more" if difference_minor > 0 else "less" if difference_minor < 0 else "same"
    lines = [EffectLine(f"booking.costs_{code}", facts)]
    covered_minor = min(booking.total_minor - booking.unpaid_minor, booking.paid_minor)
    going_minor = min(covered_minor - new_minor, booking.paid_minor - booking.returned_minor)
    if going_minor > 0:
        going = {"amount_minor": going_minor, "currency": booking.currency}
        lines.append(EffectLine("booking.difference_goes_back", going))
    return tuple(lines)


def given_back(booking: AnyRow, percent: int) -> EffectLine:
    """What a cancellation with this percent does to what was paid."""
    amount_minor = to_give_back(booking.total_minor, booking.paid_minor, booking.returned_minor, percent)
    facts: dict[str, JsonValue] = {
        "amount_minor": amount_minor,
        "kept_minor": booking.paid_minor - booking.returned_minor - amount_minor,
        "percent": percent,
        "currency": booking.currency,
    }
    code = "nothing_back" if amount_minor == 0 else "all_back" if percent == WHOLE else "part_back"
    return EffectLine(f"booking.gives_{code}", facts)


def _percent_now(desk: Desk, connection: Connection, booking: AnyRow) -> int:
    now = get_calendar(connection, desk.studio_id).now(desk.now)
    by_terms = refund_percent(read_terms(booking.terms), booking.starts_at, now)
    return min(by_terms, int(booking.refund_percent_max))
