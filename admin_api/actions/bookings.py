"""Bookings: made for a customer, checked out, moved, let go, closed. Commands all of them.

Who is at the desk keeps to the terms; what is beyond them, a waived cancellation or a booking moved too late,
is for who manages.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, widget
from admin_api.actions.booking_effects import announce_cancellation, announce_move
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import Nothing, Reason, Remark
from admin_api.actions.local_times import LocalTime, read_span, write_local
from admin_api.actions.rows import AnyRow, get_booking, list_booked_extras
from admin_api.desk import Desk
from booking.alternatives import Wish
from booking.offers import make_offer
from booking.rules.machine import BOOKING
from bus.messages import (
    EXTRAS_LIMIT,
    CancelBooking,
    CheckOutBooking,
    CompleteBooking,
    ExtraWanted,
    HoldBooking,
    MarkNoShow,
    Offer,
    People,
    Quantity,
    RescheduleBooking,
)
from kit.errors import Refused
from kit.ids import new_id
from storage.catalog import get_calendar
from storage.customers import require_customer
from storage.halls import get_booking_terms
from web.commands import Wanted
from web.fields import Body

CustomerId = Annotated[UUID, Field(json_schema_extra=widget("pick:customers"))]
HallId = Annotated[UUID, Field(json_schema_extra=widget("choose:halls"))]


class WantedExtra(Body):
    """So many of one extra for the whole of the booking."""

    extra_id: Annotated[UUID, Field(json_schema_extra=widget("choose:extras"))]
    quantity: Quantity = 1


Extras = Annotated[tuple[WantedExtra, ...], Field(max_length=EXTRAS_LIMIT, json_schema_extra=widget("lines"))]


class NewBooking(Body):
    """Held for the customer as long as the studio holds for its staff. Times are by the studio's clock."""

    customer_id: CustomerId
    hall_id: HallId
    starts_at: LocalTime
    ends_at: LocalTime
    people: People = 1
    extras: Extras = ()


class MovedBooking(Body):
    """Where and when it is to be, with how many people and what."""

    hall_id: HallId
    starts_at: LocalTime
    ends_at: LocalTime
    people: People
    extras: Extras = ()


class HowToPay(Body):
    """Online: the customer gets an invoice and the booking waits for it. On site: it is confirmed at once."""

    payment: Annotated[Literal["online", "on_site"], Field(json_schema_extra=widget("choice"))]


class WhyCancel(Body):
    """The customer may see the reason."""

    reason: Remark = ""


class Waiver(Body):
    """How much of what was paid goes back, whatever the terms say. The reason stays with the booking."""

    refund_percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 100
    reason: Reason


def _offer(
    desk: Desk, connection: Connection, sent: NewBooking | MovedBooking, except_booking: UUID | None = None
) -> Offer:
    """As the studio offers it now. Raises Problem 422 for times, NotFound and Refused."""
    calendar = get_calendar(connection, desk.studio_id)
    slot = read_span(calendar.timezone, sent.starts_at, sent.ends_at)
    extras = [ExtraWanted(**extra.model_dump()) for extra in sent.extras]
    wish = Wish(sent.hall_id, slot, sent.people, extras, except_booking)
    return make_offer(connection, wish, calendar.now(desk.now))


def _want_hold(desk: Desk, connection: Connection, _subject_id: None, sent: NewBooking) -> Wanted:
    require_customer(connection, sent.customer_id)
    command = HoldBooking(
        studio_id=desk.studio_id,
        customer_id=sent.customer_id,
        booking_id=new_id(),
        offer=_offer(desk, connection, sent),
        origin="staff",
    )
    return Wanted(command, command.booking_id)


def _want_check_out(desk: Desk, connection: Connection, booking_id: UUID, sent: HowToPay) -> Wanted:
    booking = get_booking(connection, booking_id)
    command = CheckOutBooking(
        **_ids(desk, booking), invoice_id=new_id(), payment=sent.payment, origin="staff"
    )
    return Wanted(command, booking_id)


def _want_move(desk: Desk, connection: Connection, booking_id: UUID, sent: MovedBooking) -> Wanted:
    booking = get_booking(connection, booking_id)
    _require_in_time(desk, connection, booking)
    command = RescheduleBooking(
        **_ids(desk, booking),
        invoice_id=new_id(),
        offer=_offer(desk, connection, sent, except_booking=booking_id),
        origin="staff",
    )
    return Wanted(command, booking_id)


def _require_in_time(desk: Desk, connection: Connection, booking: AnyRow) -> None:
    """Raises Refused (`too_late_to_reschedule`): who manages may do what customers may not any more."""
    if desk.person.may("bookings.decide"):
        return
    hours = int(get_booking_terms(connection, desk.studio_id)["reschedule_hours_before"])
    now = get_calendar(connection, desk.studio_id).now(desk.now)
    if (booking.starts_at - now).total_seconds() < hours * 3600:
        raise Refused("too_late_to_reschedule", hours_before=hours)


def _want_cancellation(desk: Desk, connection: Connection, booking_id: UUID, sent: WhyCancel) -> Wanted:
    booking = get_booking(connection, booking_id)
    return Wanted(CancelBooking(**_ids(desk, booking), origin="staff", reason=sent.reason), booking_id)


def _want_waived(desk: Desk, connection: Connection, booking_id: UUID, sent: Waiver) -> Wanted:
    booking = get_booking(connection, booking_id)
    command = CancelBooking(
        **_ids(desk, booking), origin="staff", refund_percent=sent.refund_percent, reason=sent.reason
    )
    return Wanted(command, booking_id)


def _want_complete(desk: Desk, connection: Connection, booking_id: UUID, _sent: Nothing) -> Wanted:
    return Wanted(
        CompleteBooking(**_ids(desk, get_booking(connection, booking_id)), origin="staff"), booking_id
    )


def _want_no_show(desk: Desk, connection: Connection, booking_id: UUID, _sent: Nothing) -> Wanted:
    return Wanted(MarkNoShow(**_ids(desk, get_booking(connection, booking_id))), booking_id)


def _ids(desk: Desk, booking: AnyRow) -> dict[str, Any]:
    return {"studio_id": desk.studio_id, "customer_id": booking.customer_id, "booking_id": booking.id}


def _as_it_is(connection: Connection, booking_id: UUID) -> dict[str, JsonValue]:
    """A booking is mostly moved as it is, in time alone."""
    booking = get_booking(connection, booking_id)
    timezone = booking.timezone
    return {
        "hall_id": str(booking.hall_id),
        "starts_at": write_local(timezone, booking.starts_at),
        "ends_at": write_local(timezone, booking.ends_at),
        "people": booking.people,
        "extras": [
            {"extra_id": str(extra.extra_id), "quantity": extra.quantity}
            for extra in list_booked_extras(connection, booking_id)
        ],
    }


def _can(trigger: str) -> Any:
    def is_open(connection: Connection, booking_id: UUID) -> bool:
        return trigger in BOOKING.triggers_from(get_booking(connection, booking_id).state)

    return is_open


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "book",
        "bookings.write",
        "/bookings",
        subject=None,
        body=NewBooking,
        want=_want_hold,
        summary="Hold a time in a hall for a customer",
    ),
    command_action(
        "check_out_booking",
        "bookings.write",
        "/bookings/{subject_id}/checkout",
        subject="bookings",
        body=HowToPay,
        want=_want_check_out,
        is_open=_can("check_out"),
        summary="Go on with a held booking: to be paid online or on site",
    ),
    command_action(
        "reschedule_booking",
        "bookings.write",
        "/bookings/{subject_id}/reschedule",
        subject="bookings",
        body=MovedBooking,
        want=_want_move,
        announce=announce_move,
        initial=_as_it_is,
        is_open=_can("reschedule"),
        needs_key=True,
        summary="Another time or hall; the difference is charged or given back",
    ),
    command_action(
        "complete_booking",
        "bookings.write",
        "/bookings/{subject_id}/complete",
        subject="bookings",
        body=Nothing,
        want=_want_complete,
        is_open=_can("complete"),
        summary="The visit is over",
    ),
    command_action(
        "mark_no_show",
        "bookings.write",
        "/bookings/{subject_id}/no-show",
        subject="bookings",
        body=Nothing,
        want=_want_no_show,
        is_open=_can("mark_no_show"),
        is_dangerous=True,
        summary="Nobody came",
    ),
    command_action(
        "cancel_booking",
        "bookings.write",
        "/bookings/{subject_id}/cancel",
        subject="bookings",
        body=WhyCancel,
        want=_want_cancellation,
        announce=announce_cancellation,
        is_open=_can("cancel"),
        is_dangerous=True,
        needs_key=True,
        summary="Let it go, by its terms",
    ),
    command_action(
        "waive_cancellation",
        "bookings.decide",
        "/bookings/{subject_id}/waive",
        subject="bookings",
        body=Waiver,
        want=_want_waived,
        announce=announce_cancellation,
        is_open=_can("cancel"),
        is_dangerous=True,
        needs_key=True,
        summary="Let it go and give back another part than its terms say",
    ),
)
