"""The way of a booking to its confirmation: held, then paid online or to be paid on site; or let go."""

from datetime import timedelta
from typing import Any

import orjson

from booking.rules.machine import BOOKING, EXPIRY_WAIT
from bus.messages import CheckOutBooking, ExpireHold, HoldBooking, InvoiceLine
from kit.errors import Refused
from state_updater.booking_rows import Booking
from state_updater.handlers.invoices import close, draw_and_open, require_none_in_flight, require_total
from state_updater.handlers.slots import keep, offered_slot, release, require_free, take
from state_updater.work import Work


def told_of(booking: Booking) -> dict[str, Any]:
    """The result of a booking's command."""
    return {"booking_id": str(booking.id), "state": booking.state}


def lines_of(booking: Booking) -> list[InvoiceLine]:
    return [InvoiceLine(**line) for line in orjson.loads(booking.lines)]


def handle_hold_booking(command: HoldBooking, work: Work) -> dict[str, Any]:
    customer_id, offer = work.require_customer(), command.offer
    slot = offered_slot(work, offer)
    require_total(offer.total_minor)
    if command.origin == "customer" and len(work.held_bookings(customer_id)) >= work.studio.holds_limit:
        raise Refused("too_many_holds", limit=work.studio.holds_limit)
    require_free(work, slot)
    is_staff, told = command.origin == "staff", offer.model_dump(mode="json")
    seconds = work.studio.staff_hold_seconds if is_staff else work.studio.hold_seconds
    booking = Booking(
        id=command.booking_id,
        studio_id=work.studio.id,
        customer_id=customer_id,
        hall_id=offer.hall_id,
        state="",
        version=1,
        head_hash=b"",
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        people=offer.people,
        currency=work.studio.currency,
        total_minor=offer.total_minor,
        lines=orjson.dumps(told["lines"]).decode(),
        terms=orjson.dumps(told["terms"]).decode(),
        refund_percent_max=100,
        payment=None,
        origin=command.origin,
        # Nobody holds a time that has begun.
        hold_expires_at=min(work.now + timedelta(seconds=seconds), offer.starts_at),
        created_at=work.now,
        updated_at=work.now,
    )
    work.create(booking, "hold", **told, origin=booking.origin, hold_expires_at=booking.hold_expires_at)
    take(work, booking, slot, "hold")
    return told_of(booking)


def handle_check_out_booking(command: CheckOutBooking, work: Work) -> dict[str, Any]:
    booking = work.get_booking(command.booking_id)
    # Not by `confirm`, which also leads on from an invoice that is drawn already.
    BOOKING.require(booking.state, "check_out")
    if work.now >= booking.hold_expires_at:
        raise Refused("hold_expired", hold_expires_at=booking.hold_expires_at.isoformat())
    if command.payment == "on_site":
        if command.origin == "customer":
            _require_on_site(work, booking)
        work.step(booking, "confirm", payment="on_site")
        keep(work, booking)
        return told_of(booking)
    work.step(booking, "check_out", facts={"invoice_id": command.invoice_id}, payment="online")
    invoice = draw_and_open(
        work,
        command.invoice_id,
        booking.customer_id,
        lines_of(booking),
        booking_id=booking.id,
        expires_at=booking.hold_expires_at,
    )
    return {**told_of(booking), "invoice_id": str(invoice.id)}


def _require_on_site(work: Work, booking: Booking) -> None:
    """A promise to pay takes no place among the holds, so it has a limit of its own."""
    if not work.studio.pays_on_site:
        raise Refused("on_site_not_offered")
    if len(work.on_site_bookings(booking.customer_id)) >= work.studio.on_site_limit:
        raise Refused("too_many_on_site", limit=work.studio.on_site_limit)


def handle_expire_hold(command: ExpireHold, work: Work) -> dict[str, Any]:
    """The time goes back to the hall. Money that may be moving is waited for, but not for ever: after that it
    is late, if it comes."""
    booking = work.get_booking(command.booking_id)
    BOOKING.require(booking.state, "expire")
    # The database's clock decides, whoever's clock thought it was time.
    if work.now < booking.hold_expires_at:
        raise Refused("not_due", hold_expires_at=booking.hold_expires_at.isoformat())
    unpaid = work.unpaid_invoices_of(booking)
    if work.now < booking.hold_expires_at + EXPIRY_WAIT:
        for invoice in unpaid:
            require_none_in_flight(work, invoice.id)
    work.step(booking, "expire")
    release(work, booking)
    for invoice in unpaid:
        close(work, invoice, "expire")
    return told_of(booking)
