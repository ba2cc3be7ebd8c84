"""What letting a booking go, or moving it, does to its money: said before anybody confirms.

Called by the actions on bookings; nothing is written here. The updater counts again under locks.
"""

from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import EffectLine
from admin_api.actions.rows import AnyRow, get_booking
from admin_api.desk import Desk
from booking.rules.money import to_charge, to_give_back
from booking.rules.terms import read_terms, refund_percent
from bus.messages import CancelBooking, Command, RescheduleBooking
from storage.bookings import get_booking_money
from storage.catalog import get_calendar

WHOLE: Final = 100


def announce_cancellation(desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    """How much goes back, and what the studio keeps."""
    assert isinstance(command, CancelBooking)
    booking = get_booking(connection, command.booking_id)
    percent = command.refund_percent
    if percent is None:
        percent = _percent_now(desk, connection, booking)
    return gives_back(connection, booking, percent)


def announce_move(_desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    """What it costs then, and what of the difference goes back. One to pay is an invoice's sentence."""
    assert isinstance(command, RescheduleBooking)
    booking = get_booking(connection, command.booking_id)
    money = get_booking_money(connection, booking.id)
    new_minor = command.offer.total_minor
    difference_minor = new_minor - money.total_minor
    facts: dict[str, JsonValue] = {
        "old_minor": money.total_minor,
        "new_minor": new_minor,
        "difference_minor": abs(difference_minor),
        "currency": booking.currency,
    }
    code = "more" if difference_minor > 0 else "less" if difference_minor < 0 else "same"
    lines = [EffectLine(f"booking.costs_{code}", facts)]
    going_minor = min(-to_charge(money, new_minor), money.left_minor)
    if going_minor > 0:
        going = {"amount_minor": going_minor, "currency": booking.currency}
        lines.append(EffectLine("booking.difference_goes_back", going))
    return tuple(lines)


def gives_back(connection: Connection, booking: AnyRow, percent: int) -> tuple[EffectLine, ...]:
    """What a cancellation with this percent does to what was paid; nothing for one that nobody has paid."""
    money = get_booking_money(connection, booking.id)
    if money.paid_minor == 0:
        return ()
    amount_minor = to_give_back(money, percent)
    facts: dict[str, JsonValue] = {
        "amount_minor": amount_minor,
        "kept_minor": money.left_minor - amount_minor,
        "percent": percent,
        "currency": booking.currency,
    }
    code = "nothing_back" if amount_minor == 0 else "all_back" if percent == WHOLE else "part_back"
    return (EffectLine(f"booking.gives_{code}", facts),)


def _percent_now(desk: Desk, connection: Connection, booking: AnyRow) -> int:
    now = get_calendar(connection, desk.studio_id).now(desk.now)
    return refund_percent(read_terms(booking.terms), booking.starts_at, now, booking.refund_percent_max)
