"""What becomes of a confirmed booking: moved, canceled, completed, or nobody came. Holds end here too."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from billing.refunds import GOING_BACK, WITHDRAWABLE
from booking.rules.machine import BOOKING, COMPLETE_AFTER
from booking.rules.money import BookingMoney, check_move_by_customer, to_charge, to_give_back
from booking.rules.terms import read_terms, refund_percent
from bus.messages import (
    CancelBooking,
    CompleteBooking,
    InvoiceLine,
    MarkNoShow,
    RescheduleBooking,
)
from kit.errors import Refused
from state_updater.booking_rows import Booking
from state_updater.handlers.giving_back import give_back
from state_updater.handlers.holds import told_of
from state_updater.handlers.invoices import close, draw_and_open, require_none_in_flight, require_total
from state_updater.handlers.slots import Slot, offered_slot, release, require_free, take
from state_updater.rows import Invoice, Payment
from state_updater.work import Work

HALL_NAME_IN_LINE = 100


def handle_cancel_booking(command: CancelBooking, work: Work) -> dict[str, Any]:
    """What was paid goes back by the terms, or as staff decides; what is unpaid is taken back."""
    booking = work.get_booking(command.booking_id)
    BOOKING.require(booking.state, "cancel")
    if command.origin == "customer" and booking.state == "confirmed" and work.now >= booking.starts_at:
        raise Refused("booking_started", starts_at=booking.starts_at.isoformat())
    unpaid = _unpaid_and_still(work, booking)
    percent = command.refund_percent
    if percent is None:
        percent = _percent_by_terms(work, booking)
    payments = work.payments_of(booking)
    amount_minor = to_give_back(_money(work, booking, payments, unpaid), percent)
    work.step(
        booking,
        "cancel",
        facts={"refund_percent": percent, "refund_minor": amount_minor, "reason": command.reason},
    )
    release(work, booking)
    _void(work, unpaid)
    give_back(work, payments, amount_minor, "the booking was canceled")
    return {**told_of(booking), "refund_minor": amount_minor}


def _percent_by_terms(work: Work, booking: Booking) -> int:
    terms = read_terms(orjson.loads(booking.terms))
    return refund_percent(terms, booking.starts_at, work.now, booking.refund_percent_max)


def _money(
    work: Work, booking: Booking, payments: Sequence[Payment], unpaid: Sequence[Invoice]
) -> BookingMoney:
    refunds = work.refunds_of(payments)
    asked_minor = sum(refund.amount_minor for refund in refunds if refund.state in WITHDRAWABLE)
    by_terms = [refund for refund in refunds if refund.origin == "terms" and refund.state in GOING_BACK]
    return BookingMoney(
        total_minor=booking.total_minor,
        paid_minor=sum(payment.amount_minor for payment in payments),
        returned_minor=sum(payment.amount_minor - payment.refundable_minor for payment in payments)
        - asked_minor,
        unpaid_minor=sum(invoice.total_minor for invoice in unpaid),
        moved_back_minor=sum(refund.amount_minor for refund in by_terms),
    )


def _unpaid_and_still(work: Work, booking: Booking) -> list[Invoice]:
    """What is unpaid of a booking. Raises Refused (`payment_in_progress`) if money may be moving for it."""
    unpaid = work.unpaid_invoices_of(booking)
    for invoice in unpaid:
        require_none_in_flight(work, invoice.id)
    return unpaid


def _void(work: Work, unpaid: Sequence[Invoice]) -> None:
    for invoice in unpaid:
        close(work, invoice, "void")


def handle_reschedule_booking(command: RescheduleBooking, work: Work) -> dict[str, Any]:
    """Another time, hall, or number of people. The difference in price is charged, or given back."""
    booking, offer = work.get_booking(command.booking_id), command.offer
    BOOKING.require(booking.state, "reschedule")
    unpaid = _unpaid_and_still(work, booking)
    if command.origin == "customer":
        _require_movable(work, booking, unpaid)
    require_total(offer.total_minor)
    slot = offered_slot(work, offer)
    require_free(work, slot, moving=booking)
    payments = work.payments_of(booking)
    money = _money(work, booking, payments, unpaid)
    missing_minor = to_charge(money, offer.total_minor)
    if command.origin == "customer" and booking.payment == "online":
        check_move_by_customer(money, missing_minor, _percent_by_terms(work, booking))
    _move(command, work, booking, slot)
    _void(work, unpaid)
    if missing_minor > 0 and booking.payment == "online":
        _charge(command, work, booking, slot, missing_minor)
        return {**told_of(booking), "invoice_id": str(command.invoice_id)}
    give_back(work, payments, -missing_minor, "the booking was moved")
    return told_of(booking)


def _require_movable(work: Work, booking: Booking, unpaid: Sequence[Invoice]) -> None:
    hours = work.studio.reschedule_hours_before
    if booking.starts_at - work.now < timedelta(hours=hours):
        raise Refused("too_late_to_reschedule", hours_before=hours)
    if unpaid:
        raise Refused("surcharge_unpaid", invoice_id=str(unpaid[0].id))


def _move(command: RescheduleBooking, work: Work, booking: Booking, slot: Slot) -> None:
    offer, percent_max = command.offer, booking.refund_percent_max
    if command.origin == "customer":
        # Moved when little would have gone back, it does not become free to cancel.
        percent_max = _percent_by_terms(work, booking)
    told = offer.model_dump(mode="json", exclude={"terms"})
    release(work, booking)
    work.step(
        booking,
        "reschedule",
        facts={**told, "former_hall_id": booking.hall_id, "former_starts_at": booking.starts_at},
        hall_id=offer.hall_id,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        people=offer.people,
        total_minor=offer.total_minor,
        lines=orjson.dumps(told["lines"]).decode(),
        refund_percent_max=percent_max,
    )
    take(work, booking, slot, "booking")


def _charge(command: RescheduleBooking, work: Work, booking: Booking, slot: Slot, amount_minor: int) -> None:
    """The surcharge, which confirms nothing: an ordinary invoice, but that it can be paid, and is seen to be
    due, until the visit. What is paid on site has none."""
    at = slot.starts_at.astimezone(ZoneInfo(work.studio.timezone))
    line = InvoiceLine(
        description=f"{slot.hall.name[:HALL_NAME_IN_LINE]} {at:%Y-%m-%d %H:%M}",
        quantity=1,
        unit_amount_minor=amount_minor,
    )
    expires_at = max(slot.starts_at, work.now + timedelta(seconds=work.studio.invoice_lifetime_seconds))
    draw_and_open(
        work,
        command.invoice_id,
        booking.customer_id,
        [line],
        booking_id=booking.id,
        expires_at=expires_at,
    )


def handle_complete_booking(command: CompleteBooking, work: Work) -> dict[str, Any]:
    booking = work.get_booking(command.booking_id)
    BOOKING.require(booking.state, "complete")
    due_at = booking.starts_at if command.origin == "staff" else booking.ends_at + COMPLETE_AFTER
    if work.now < due_at:
        raise Refused("not_due", due_at=due_at.isoformat())
    work.step(booking, "complete")
    return told_of(booking)


def handle_mark_no_show(command: MarkNoShow, work: Work) -> dict[str, Any]:
    booking = work.get_booking(command.booking_id)
    BOOKING.require(booking.state, "mark_no_show")
    if work.now < booking.starts_at:
        raise Refused("not_due", due_at=booking.starts_at.isoformat())
    work.step(booking, "mark_no_show")
    # What is left of the time can be sold again.
    release(work, booking)
    return told_of(booking)
