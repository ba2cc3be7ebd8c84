"""When messages about bookings are still true: each rule gives the reason why not, or None.

Called by `notifications.kinds`. Pure.
"""

from collections.abc import Container

from booking.rules.machine import HELD, PAYABLE_MIN
from notifications.occasions import Occasion, Reason
from notifications.situations import BookingNow, Situation


def is_being_made(booking: BookingNow) -> bool:
    """Its customer has not said yet how to pay, and is on the page as far as anybody knows."""
    return booking.state == "held" and booking.origin == "customer"


def created(now: Situation, _occasion: Occasion) -> Reason:
    reason = _unless_in(now, HELD)
    if reason is None and now.booking and now.booking.hold_expires_at - now.studio.now < PAYABLE_MIN:
        return "hold_nearly_over"
    return reason


def stands(now: Situation, occasion: Occasion) -> Reason:
    """It is confirmed, for the time that the message was planned for: another one tells of another time."""
    reason = _unless_in(now, {"confirmed"}) or _unless_same_time(now, occasion)
    if reason is None and now.booking and now.booking.slot.ends_at <= now.studio.now:
        return "booking_over"
    return reason


def is_ahead(now: Situation, occasion: Occasion) -> Reason:
    reason = stands(now, occasion)
    if reason is None and now.booking and now.booking.slot.starts_at <= now.studio.now:
        return "booking_begun"
    return reason


def was_visited(now: Situation, occasion: Occasion) -> Reason:
    reason = _unless_in(now, {"confirmed", "completed"}) or _unless_same_time(now, occasion)
    if reason is None and now.booking and now.booking.slot.ends_at > now.studio.now:
        return "booking_not_over"
    return reason


def canceled(now: Situation, _occasion: Occasion) -> Reason:
    return _unless_in(now, {"canceled"})


def expired(now: Situation, _occasion: Occasion) -> Reason:
    reason = _unless_in(now, {"expired"})
    return "booked_again" if reason is None and now.booking and now.booking.has_successor else reason


def money_late(now: Situation, _occasion: Occasion) -> Reason:
    """Of money for other invoices the receipt says that it was not counted."""
    if now.booking is None:
        return "not_of_a_booking"
    return "payment_applied" if now.payment is None or now.payment.is_applied else None


def _unless_in(now: Situation, states: Container[str]) -> Reason:
    if now.booking is None:
        return "subject_is_gone"
    return None if now.booking.state in states else f"booking_{now.booking.state}"


def _unless_same_time(now: Situation, occasion: Occasion) -> Reason:
    is_same = now.booking is not None and now.booking.slot == occasion.slot
    return None if is_same else "rescheduled"
