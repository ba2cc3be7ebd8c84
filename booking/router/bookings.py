"""Bookings: hold a time, go on to pay it, move it, let it go.

Mounted by the client API. Nothing here changes a booking: an endpoint checks, accepts a command and shows
what became of it. What a hall's and an extra's locks decide is decided when that is applied.
"""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from booking.bookings import get_cancellation, list_bookings, require_own
from booking.commands import Asked, MineOf
from booking.doors import PREFIX
from booking.quotes import QUOTE_LENGTH_LIMIT
from booking.views import QUOTE, BookingListView, BookingView, CancellationView
from bus.messages import CancelBooking, CheckOutBooking, HoldBooking, RescheduleBooking
from kit.ids import new_id
from web.commands import CommandRoute, Wanted
from web.documented import command_answers, problems
from web.fields import Body, Page, show, shown

router = APIRouter(prefix=PREFIX, tags=["booking"], route_class=CommandRoute)


class Cited(Body):
    """The quote that it is done by."""

    quote: Annotated[str, Field(min_length=1, max_length=QUOTE_LENGTH_LIMIT, examples=[QUOTE])]


class Checkout(Body):
    """`on_site` only where the studio allows it."""

    payment: Annotated[Literal["online", "on_site"], Field(examples=["online"])]


@router.post(
    "/bookings",
    operation_id="hold_booking",
    status_code=201,
    responses=command_answers(201, BookingView),
    summary="Hold a time",
)
def hold(sent: Cited, asking: Asked) -> Response:
    """Yours until `hold_expires_at`; check out before. Refused as `slot_taken` it names `alternatives`: the
    nearest times in this hall, and other halls free at this one."""
    quote = asking.read(sent.quote)

    def want(connection: Connection) -> Wanted:
        asking.require_valid(connection, quote)
        command = HoldBooking(**asking.whose, booking_id=new_id(), offer=quote.offer)
        return Wanted(command, command.booking_id)

    def respond(connection: Connection, result: Mapping[str, object]) -> Response:
        booking_id = UUID(str(result["booking_id"]))
        return show(asking.mine.get(connection, booking_id), 201, f"{PREFIX}/bookings/{booking_id}")

    return asking.accept(want, respond, quote)


@router.get("/bookings", operation_id="list_bookings", responses=problems(401), summary="My bookings")
@shown
def list_own(mine: MineOf, page: Annotated[Page, Query()]) -> BookingListView:
    """Those made last first."""
    with mine.caller.transaction() as connection:
        policy, now = mine.look(connection)
        return list_bookings(connection, policy, mine.caller.customer_id, page.cursor, page.limit, now)


@router.get(
    "/bookings/{booking_id}", operation_id="get_booking", responses=problems(401, 404), summary="One booking"
)
@shown
def get_one(booking_id: UUID, mine: MineOf) -> BookingView:
    with mine.caller.transaction() as connection:
        return mine.get(connection, booking_id)


@router.post(
    "/bookings/{booking_id}/checkout",
    operation_id="check_out_booking",
    responses=command_answers(200, BookingView),
    summary="Go on to pay",
)
def check_out(booking_id: UUID, sent: Checkout, asking: Asked) -> Response:
    """`online` draws the invoice, `invoice_id`, whose payment confirms the booking; `on_site` confirms it."""

    def want(connection: Connection) -> Wanted:
        require_own(connection, asking.mine.caller.customer_id, booking_id)
        command = CheckOutBooking(
            **asking.whose, booking_id=booking_id, invoice_id=new_id(), payment=sent.payment
        )
        return Wanted(command, booking_id)

    return asking.accept(want, asking.show(booking_id))


@router.get(
    "/bookings/{booking_id}/cancellation",
    operation_id="preview_cancellation",
    responses=problems(401, 404, 409),
    summary="What canceling would give back",
)
@shown
def preview(booking_id: UUID, mine: MineOf) -> CancellationView:
    """By the terms that it was booked with, now; it becomes less as the start comes nearer."""
    with mine.caller.transaction() as connection:
        return get_cancellation(connection, mine.caller.customer_id, booking_id, mine.look(connection)[1])


@router.post(
    "/bookings/{booking_id}/cancel",
    operation_id="cancel_booking",
    responses=command_answers(200, BookingView),
    summary="Let a booking go",
)
def cancel(booking_id: UUID, asking: Asked) -> Response:
    """What its terms say goes back by the way that it was paid. Refused while a payment is being processed,
    and once it has begun."""

    def want(connection: Connection) -> Wanted:
        require_own(connection, asking.mine.caller.customer_id, booking_id)
        return Wanted(CancelBooking(**asking.whose, booking_id=booking_id), booking_id)

    return asking.accept(want, asking.show(booking_id))


@router.post(
    "/bookings/{booking_id}/reschedule",
    operation_id="reschedule_booking",
    responses=command_answers(200, BookingView),
    summary="Move a booking",
)
def reschedule(booking_id: UUID, sent: Cited, asking: Asked) -> Response:
    """To what was quoted for it, with `booking_id`. What it costs more is charged by `invoice_id`; what it
    costs less goes back."""
    quote = asking.read(sent.quote, booking_id)

    def want(connection: Connection) -> Wanted:
        require_own(connection, asking.mine.caller.customer_id, booking_id)
        asking.require_valid(connection, quote)
        command = RescheduleBooking(
            **asking.whose, booking_id=booking_id, invoice_id=new_id(), offer=quote.offer
        )
        return Wanted(command, booking_id)

    return asking.accept(want, asking.show(booking_id), quote)
