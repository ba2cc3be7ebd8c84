"""Bookings: hold a time, go on to pay it, move it, let it go; with the shop's and the quotes' routes.

Mounted by the client API. Nothing here changes a booking: an endpoint checks, accepts a command and shows
what became of it. What a hall's and an extra's locks decide is decided when that is applied.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from booking import offers, shop
from booking.bookings import get_booking, get_cancellation, list_bookings
from booking.doors import PREFIX, Customer, Doors, DoorsOf, SignedIn
from booking.offers import taken_facts
from booking.queries import Policy, get_policy
from booking.quotes import QUOTE_LENGTH_LIMIT, Quote, read_quote
from booking.views import QUOTE, BookingListView, BookingView, CancellationView
from bus.messages import CancelBooking, CheckOutBooking, HoldBooking, RescheduleBooking
from kit.ids import new_id
from web.commands import (
    AnyCommandRequest,
    CommandRoute,
    Explain,
    Respond,
    Wanted,
    answer_when_applied,
    submit,
)
from web.documented import command_answers, problems
from web.fields import Body, Page, show, shown

router = APIRouter(prefix=PREFIX, tags=["booking"], route_class=CommandRoute)
ROUTERS = (shop.router, offers.router, router)


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
def hold(
    sent: Cited, request: Request, caller: SignedIn, doors: DoorsOf, command_request: AnyCommandRequest
) -> Response:
    """Yours until `hold_expires_at`; check out before. Refused as `slot_taken` it names `alternatives`: the
    nearest times in this hall, and other halls free at this one."""
    quote = read_quote(doors.quote_key, sent.quote, caller.studio_id, caller.customer_id)

    def want(connection: Connection) -> Wanted:
        quote.require_valid(_look(connection, caller, doors)[1])
        command = HoldBooking(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            booking_id=new_id(),
            offer=quote.offer,
            origin="customer",
        )
        return Wanted(command, command.booking_id)

    def respond(connection: Connection, result: Mapping[str, object]) -> Response:
        booking_id = UUID(str(result["booking_id"]))
        return show(_own(connection, caller, doors, booking_id), 201, f"{PREFIX}/bookings/{booking_id}")

    explain = _explain(caller, doors, quote)
    return answer_when_applied(request, caller, submit(caller, command_request, want), respond, explain)


@router.get("/bookings", operation_id="list_bookings", responses=problems(401), summary="My bookings")
@shown
def list_own(caller: SignedIn, doors: DoorsOf, page: Annotated[Page, Query()]) -> BookingListView:
    """Those made last first."""
    with caller.transaction() as connection:
        policy, now = _look(connection, caller, doors)
        return list_bookings(connection, policy, caller.customer_id, page.cursor, page.limit, now)


@router.get(
    "/bookings/{booking_id}", operation_id="get_booking", responses=problems(401, 404), summary="One booking"
)
@shown
def get_one(booking_id: UUID, caller: SignedIn, doors: DoorsOf) -> BookingView:
    with caller.transaction() as connection:
        return _own(connection, caller, doors, booking_id)


@router.post(
    "/bookings/{booking_id}/checkout",
    operation_id="check_out_booking",
    responses=command_answers(200, BookingView),
    summary="Go on to pay",
)
def check_out(
    booking_id: UUID,
    sent: Checkout,
    request: Request,
    caller: SignedIn,
    doors: DoorsOf,
    command_request: AnyCommandRequest,
) -> Response:
    """`online` draws the invoice, `invoice_id`, whose payment confirms the booking; `on_site` confirms it."""

    def want(connection: Connection) -> Wanted:
        _own(connection, caller, doors, booking_id)
        command = CheckOutBooking(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            booking_id=booking_id,
            invoice_id=new_id(),
            payment=sent.payment,
            origin="customer",
        )
        return Wanted(command, booking_id)

    respond = _respond(caller, doors, booking_id)
    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)


@router.get(
    "/bookings/{booking_id}/cancellation",
    operation_id="preview_cancellation",
    responses=problems(401, 404, 409),
    summary="What canceling would give back",
)
@shown
def preview(booking_id: UUID, caller: SignedIn, doors: DoorsOf) -> CancellationView:
    """By the terms that it was booked with, now; it becomes less as the start comes nearer."""
    with caller.transaction() as connection:
        return get_cancellation(
            connection, caller.customer_id, booking_id, _look(connection, caller, doors)[1]
        )


@router.post(
    "/bookings/{booking_id}/cancel",
    operation_id="cancel_booking",
    responses=command_answers(200, BookingView),
    summary="Let a booking go",
)
def cancel(
    booking_id: UUID,
    request: Request,
    caller: SignedIn,
    doors: DoorsOf,
    command_request: AnyCommandRequest,
) -> Response:
    """What its terms say goes back by the way that it was paid. Refused while a payment is being processed,
    and once it has begun."""

    def want(connection: Connection) -> Wanted:
        _own(connection, caller, doors, booking_id)
        command = CancelBooking(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            booking_id=booking_id,
            origin="customer",
        )
        return Wanted(command, booking_id)

    respond = _respond(caller, doors, booking_id)
    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)


@router.post(
    "/bookings/{booking_id}/reschedule",
    operation_id="reschedule_booking",
    responses=command_answers(200, BookingView),
    summary="Move a booking",
)
def reschedule(
    booking_id: UUID,
    sent: Cited,
    request: Request,
    caller: SignedIn,
    doors: DoorsOf,
    command_request: AnyCommandRequest,
) -> Response:
    """To what was quoted for it, with `booking_id`. What it costs more is charged by `invoice_id`; what it
    costs less goes back."""
    quote = read_quote(doors.quote_key, sent.quote, caller.studio_id, caller.customer_id, booking_id)

    def want(connection: Connection) -> Wanted:
        _own(connection, caller, doors, booking_id)
        quote.require_valid(_look(connection, caller, doors)[1])
        command = RescheduleBooking(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            booking_id=booking_id,
            invoice_id=new_id(),
            offer=quote.offer,
            origin="customer",
        )
        return Wanted(command, booking_id)

    respond, explain = _respond(caller, doors, booking_id), _explain(caller, doors, quote)
    return answer_when_applied(request, caller, submit(caller, command_request, want), respond, explain)


def _look(connection: Connection, caller: Customer, doors: Doors) -> tuple[Policy, datetime]:
    """How this studio sells time, and what time it is there."""
    policy = get_policy(connection, caller.studio_id)
    return policy, policy.now(doors.clock())


def _own(connection: Connection, caller: Customer, doors: Doors, booking_id: UUID) -> BookingView:
    """Raises Problem 404."""
    policy, now = _look(connection, caller, doors)
    return get_booking(connection, policy, caller.customer_id, booking_id, now)


def _respond(caller: Customer, doors: Doors, booking_id: UUID) -> Respond:
    def respond(connection: Connection, _result: Mapping[str, object]) -> Response:
        return show(_own(connection, caller, doors, booking_id))

    return respond


def _explain(caller: Customer, doors: Doors, quote: Quote) -> Explain:
    def explain(connection: Connection, refusal: Mapping[str, object]) -> Mapping[str, object]:
        now = _look(connection, caller, doors)[1]
        return taken_facts(connection, refusal, quote.offer, now, quote.booking_id)

    return explain
