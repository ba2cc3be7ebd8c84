"""Where the desk's pages lead: to a booking, and to the forms of actions with hall and times filled in.

A link is only there for who may use it; what is done is decided where it is done.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request

from admin_api.actions.local_times import write_local
from admin_api.actions.registry import ACTIONS
from admin_api.bookings.views import Taken
from admin_api.pages.buttons import Button, form_path
from admin_api.pages.doors import desk_of, language_of, studio_of
from admin_api.pages.formats import typed_amount
from admin_api.pages.frame import tell
from booking.rules.calendar import Span
from web.views import Money

BOOK: Final = "book"
BLOCK: Final = "block_hall"
UNBLOCK: Final = "unblock_hall"
RESCHEDULE: Final = "reschedule_booking"
# What is done with a booking by how it stands, or with money that is to go back.
DOINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "held": ("check_out_booking", "cancel_booking"),
    "awaiting_payment": ("cancel_booking",),
    "begun": ("complete_booking", "mark_no_show"),
    "misplaced": ("reschedule_booking", "cancel_booking"),
    "late_money": ("refund_received",),
    "owed_refunds": ("refund_received",),
}


def action_path(request: Request, name: str, subject_id: UUID | None = None) -> str | None:
    """The form of an action; None for who may not."""
    action = ACTIONS[name]
    return form_path(action, subject_id) if desk_of(request).person.may(action.permission) else None


def path_of_blocking(request: Request) -> str | None:
    """Where the form that closes a hall is, up to the hall's id."""
    nowhere = action_path(request, BLOCK, UUID(int=0))
    return nowhere.removesuffix(str(UUID(int=0))) if nowhere else None


def with_time(request: Request, path: str | None, hall_id: UUID, span: Span) -> str | None:
    """The form with hall and times filled in, as one would type them."""
    if path is None:
        return None
    timezone = studio_of(request).timezone
    filled: Mapping[str, str] = {
        "hall_id": str(hall_id),
        "starts_at": write_local(timezone, span.starts_at),
        "ends_at": write_local(timezone, span.ends_at),
    }
    return f"{path}?{urlencode(filled)}"


def booking_path(booking_id: UUID) -> str:
    return f"/admin/bookings/details/{booking_id}"


def taken_path(request: Request, taken: Taken) -> str | None:
    """The booking; of a closed hall, the form that opens it again."""
    if taken.booking_id is not None:
        return booking_path(taken.booking_id)
    return action_path(request, UNBLOCK, taken.occupancy_id) if taken.kind == "blackout" else None


def move_path(request: Request, taken: Taken) -> str | None:
    """Where a booking that is dragged elsewhere is moved; only one that is confirmed can be."""
    if taken.booking_id is None or taken.state != "confirmed":
        return None
    return action_path(request, RESCHEDULE, taken.booking_id)


def buttons(
    request: Request, standing: str, subject_id: UUID, remaining: Money | None = None
) -> list[Button]:
    """The forms of what is done then, for who may use them; of money with the sum filled in."""
    filled = ""
    if remaining is not None:
        amount = typed_amount(remaining.amount_minor, remaining.currency, language_of(request))
        filled = f"?{urlencode({'amount_minor': amount})}"
    return [
        Button(path + filled, tell(request, f"action.{name}"), is_dangerous=ACTIONS[name].is_dangerous)
        for name in DOINGS.get(standing, ())
        if (path := action_path(request, name, subject_id)) is not None
    ]
