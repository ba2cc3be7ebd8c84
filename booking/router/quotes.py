"""What a time would cost: the quote that a booking, or moving one, then cites.

Mounted with the other routes of bookings. Nothing is stored, and nothing is reserved.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection

from booking.alternatives import Wish
from booking.bookings import check_move, get_booking
from booking.doors import PREFIX, DoorsOf, SignedIn
from booking.offers import make_offer
from booking.queries import Policy, get_policy
from booking.quotes import Quote, sign_quote
from booking.router.halls import FIRST_DAY, LAST_DAY
from booking.rules.calendar import Span
from booking.views import HALL_ID, LOCAL_TIME, QuoteView
from bus.messages import EXTRAS_LIMIT, ExtraWanted, Instant, Offer, People
from web.documented import problems
from web.fields import Body, shown
from web.strict import StrictRoute

_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")
_EXTRA: Final = {"extra_id": "01934b1e-7a40-7c2e-8d8e-3d1f3a9b2c12", "quantity": 2}

router = APIRouter(prefix=PREFIX, tags=["booking"], route_class=StrictRoute)


def _written_out(value: object) -> object:
    """The library would take a number, or a text of one, for seconds."""
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        return value
    raise PydanticCustomError("not_a_date_and_time", "a date and a time with an offset")


def _near(at: datetime) -> datetime:
    """At the calendar's ends no zone could be reckoned in."""
    if FIRST_DAY <= at.date() < LAST_DAY:
        return at
    raise PydanticCustomError("out_of_range", "a year of this century")


SlotTime = Annotated[Instant, AfterValidator(_near), BeforeValidator(_written_out)]


class NewQuote(Body):
    """A time in a hall, from and until an instant, each with its offset. `booking_id`: to move that booking,
    whose own time and extras then count as free."""

    hall_id: Annotated[UUID, Field(examples=[HALL_ID])]
    starts_at: Annotated[SlotTime, Field(examples=[LOCAL_TIME])]
    ends_at: Annotated[SlotTime, Field(examples=["2026-11-23T21:00:00+03:00"])]
    people: Annotated[People, Field(examples=[4])]
    extras: Annotated[tuple[ExtraWanted, ...], Field(max_length=EXTRAS_LIMIT, examples=[[_EXTRA]])] = ()
    booking_id: UUID | None = None

    @field_validator("ends_at")
    @classmethod
    def check_order(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        starts_at = info.data.get("starts_at")
        if starts_at is not None and ends_at <= starts_at:
            raise PydanticCustomError("not_after_starts_at", "ends after it starts")
        return ends_at


@router.post(
    "/quotes",
    operation_id="create_quote",
    responses=problems(401, 404, 409, 413),
    summary="What would it cost?",
)
@shown
def create(sent: NewQuote, caller: SignedIn, doors: DoorsOf) -> QuoteView:
    """Itemised and signed; valid for some minutes, whatever becomes of prices and terms meanwhile. It
    reserves nothing. For a taken time the problem has `alternatives`."""
    with caller.transaction() as connection:
        policy = get_policy(connection, caller.studio_id)
        now = policy.now(doors.clock())
        if sent.booking_id is not None:
            get_booking(connection, policy, caller.customer_id, sent.booking_id, now)
        offer = _offer(connection, sent, now)
        if sent.booking_id is not None:
            check_move(connection, caller.customer_id, sent.booking_id, offer.total_minor, now)
    valid_until = (now + timedelta(seconds=policy.quote_seconds)).replace(microsecond=0)
    quote = Quote(caller.studio_id, caller.customer_id, sent.booking_id, offer, valid_until)
    return _view(quote, sign_quote(doors.quote_key, quote), policy)


def _offer(connection: Connection, sent: NewQuote, now: datetime) -> Offer:
    slot = Span(sent.starts_at, sent.ends_at)
    return make_offer(connection, Wish(sent.hall_id, slot, sent.people, sent.extras, sent.booking_id), now)


def _view(quote: Quote, token: str, policy: Policy) -> QuoteView:
    offer = quote.offer
    zone = ZoneInfo(policy.timezone)
    return QuoteView(
        quote=token,
        valid_until=quote.valid_until,
        hall_id=offer.hall_id,
        starts_at=offer.starts_at.astimezone(zone),
        ends_at=offer.ends_at.astimezone(zone),
        people=offer.people,
        extras=list(offer.extras),
        lines=list(offer.lines),
        total_minor=offer.total_minor,
        currency=policy.currency,
        terms=list(offer.terms),
    )
