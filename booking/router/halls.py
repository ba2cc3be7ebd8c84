"""What a studio sells by the hour: its halls, and when they are free. Anybody may look; who moves a booking
sees its own time as free, too.

Mounted with the other routes of bookings. Free time is shown as it was made, without another look at each
of its ten thousand parts; the document has its shape all the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from booking.availability import Asked, availability, window_of
from booking.bookings import require_own
from booking.doors import PREFIX, Customer, DoorsOf, Visit, Visitor
from booking.queries import Extra, Hall, find_hall, get_policy, read_extras, read_halls, read_tariffs
from booking.rules.availability import check_length
from booking.rules.calendar import HallRules, Span
from booking.rules.prices import Tariff
from booking.views import AvailabilityView, ExtraView, HallListView, HallView, OpenHoursView
from web.documented import problems
from web.fields import Bearer, shown
from web.problems import invalid, not_found
from web.strict import StrictRoute

DAYS_DEFAULT: Final = 7
DAYS_LIMIT: Final = 62
DAYS_OF_ALL_LIMIT: Final = 31
# No hall is booked for longer.
MINUTES_LIMIT: Final = 1_440
FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2100, 1, 1)

router = APIRouter(prefix=PREFIX, tags=["booking"], route_class=StrictRoute)


Day = Annotated[date | None, Field(ge=FIRST_DAY, le=LAST_DAY)]


class Days(BaseModel):
    """Local dates of the studio. Without them DAYS_DEFAULT days from today."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Annotated[Day, Field(alias="from", description="The first date.", examples=["2026-11-23"])] = None
    until: Annotated[Day, Field(alias="to", description="After the last.", examples=["2026-11-30"])] = None
    duration: Annotated[
        int | None,
        Field(ge=1, le=MINUTES_LIMIT, description="Minutes: tells where one may start.", examples=[120]),
    ] = None
    booking_id: Annotated[
        UUID | None,
        Field(
            description="A booking of yours that is to be moved: its own time counts as free. Needs a token."
        ),
    ] = None

    def window(self, timezone: str, now: datetime, days_limit: int) -> Span:
        """Raises Problem 422."""
        first = self.first or now.astimezone(ZoneInfo(timezone)).date()
        until = self.until or first + timedelta(days=DAYS_DEFAULT)
        if until <= first:
            raise invalid(("query.to", "not_after_from"))
        if (until - first).days > days_limit:
            raise invalid(("query.to", f"more_than_{days_limit}_days"))
        return window_of(timezone, first, until)


AskedDays = Annotated[Days, Query()]


@dataclass(frozen=True, slots=True)
class Look:
    """Which days are looked at. `mover` is who wants to move the booking that `days` names: nobody else is
    told when it is. Without one it is anybody's look."""

    visit: Visit
    days: Days
    mover: Customer | None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Raises Problem 401 when the sign-in has been ended, 404 for a booking of nobody's or another's."""
        if self.mover is None or self.days.booking_id is None:
            with self.visit.transaction() as connection:
                yield connection
            return
        with self.mover.transaction() as connection:
            require_own(connection, self.mover.customer_id, self.days.booking_id)
            yield connection


async def get_look(
    request: Request, visit: Visitor, doors: DoorsOf, days: AskedDays, credentials: Bearer
) -> Look:
    """Raises Problem 401 for a booking without a valid token."""
    mover = None if days.booking_id is None else await doors.find_customer(request, credentials)
    return Look(visit, days, mover)


Looking = Annotated[Look, Depends(get_look)]
# The token is only needed for a booking.
OPTIONAL_TOKEN: Final[dict[str, object]] = {"security": [{}]}


@router.get("/halls", operation_id="list_halls", responses=problems(404), summary="Halls")
@shown
def list_all(visit: Visitor) -> HallListView:
    """In the studio's order, each with what is lent beside it."""
    with visit.transaction() as connection:
        now = get_policy(connection, visit.studio_id).now(visit.clock())
        halls = read_halls(connection)
        tariffs = read_tariffs(connection, [hall.id for hall in halls], now)
        extras = read_extras(connection)
    return HallListView(items=[_view(hall, tariffs.get(hall.id), extras) for hall in halls])


@router.get("/halls/{hall_id}", operation_id="get_hall", responses=problems(404), summary="One hall")
@shown
def get_one(hall_id: UUID, visit: Visitor) -> HallView:
    with visit.transaction() as connection:
        now = get_policy(connection, visit.studio_id).now(visit.clock())
        hall = find_hall(connection, hall_id)
        if hall is None:
            raise not_found()
        tariff = read_tariffs(connection, [hall_id], now).get(hall_id)
        return _view(hall, tariff, read_extras(connection, hall_id))


@router.get(
    "/halls/{hall_id}/availability",
    operation_id="get_hall_availability",
    response_model=AvailabilityView,
    responses=problems(401, 404),
    openapi_extra=OPTIONAL_TOKEN,
    summary="When a hall is free",
)
def of_one(hall_id: UUID, look: Looking) -> Response:
    """Runs of free time with what an hour costs in them, at most 62 days. Whatever fits into a run, on the
    hall's step and within its limits, can be quoted, and nothing else."""
    return _free(look, DAYS_LIMIT, hall_id)


@router.get(
    "/availability",
    operation_id="get_availability",
    response_model=AvailabilityView,
    responses=problems(401, 404),
    openapi_extra=OPTIONAL_TOKEN,
    summary="When all halls are free",
)
def of_all(look: Looking) -> Response:
    """As for one hall, at most 31 days; a hall that is not booked for so long has no starts. An answer that
    would be too large is refused (`answer_too_large`): ask for fewer days."""
    return _free(look, DAYS_OF_ALL_LIMIT, None)


def _free(look: Look, days_limit: int, hall_id: UUID | None) -> Response:
    visit, days = look.visit, look.days
    with look.transaction() as connection:
        policy = get_policy(connection, visit.studio_id)
        now = policy.now(visit.clock())
        window = days.window(policy.timezone, now, days_limit)
        asked = Asked(window, days.duration, now, days.booking_id)
        if hall_id is None:
            halls = read_halls(connection)
        else:
            halls = _only(find_hall(connection, hall_id), days.duration)
        shown = availability(connection, policy.timezone, halls, asked)
    return Response(shown, media_type="application/json")


def _only(hall: Hall | None, minutes: int | None) -> list[Hall]:
    """Raises Problem 404, and Refused for a duration that this hall is never booked for."""
    if hall is None:
        raise not_found()
    if minutes is not None:
        check_length(hall.rules, minutes)
    return [hall]


def _view(hall: Hall, tariff: Tariff | None, extras: Sequence[Extra]) -> HallView:
    rules = hall.rules
    return HallView(
        id=hall.id,
        name=hall.name,
        description=hall.description,
        capacity=hall.capacity,
        equipment=list(hall.equipment),
        hours=_hours(rules),
        step_minutes=rules.step_minutes,
        minutes_min=rules.minutes_min,
        minutes_max=rules.minutes_max,
        notice_minutes=rules.notice_minutes,
        horizon_days=rules.horizon_days,
        timezone=rules.timezone,
        price_from_minor=tariff.from_minor if tariff else None,
        currency=hall.currency,
        extras=[
            ExtraView(
                id=extra.id,
                name=extra.name,
                unit=extra.unit,
                amount_minor=extra.amount_minor,
                stock=extra.stock,
            )
            for extra in extras
            if extra.hall_id in (None, hall.id)
        ],
    )


def _hours(rules: HallRules) -> list[OpenHoursView]:
    return [
        OpenHoursView(
            weekdays=sorted(hours.weekdays),
            opens=_clock(hours.opens),
            closes=_clock(hours.closes),
            first_day=hours.first_day,
            last_day=hours.last_day,
        )
        for hours in rules.hours
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
