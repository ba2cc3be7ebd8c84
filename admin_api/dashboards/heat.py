"""How full the halls are: of each hour of the week the share of open time that visits had, and how many.

Called by the page and the JSON API. The database adds up minutes by the hours of the studio's own calendar;
opening hours are those in force now.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection, text

from admin_api.dashboards.charts import Chart, Column
from admin_api.dashboards.periods import Period
from admin_api.dashboards.reading import period_view
from admin_api.dashboards.views import PeriodView
from admin_api.desk import Desk
from booking.queries import Hall, read_halls
from booking.rules.calendar import Span, open_spans
from web.problems import Problem, not_found
from web.views import View

NAME: Final = "bookings_by_hour"
DAYS_LIMIT: Final = 92
HALLS_LIMIT: Final = 100
WEEKDAYS: Final = range(1, 8)
HOURS: Final = range(24)
# Visits that are to be, that are and that were; holds and what was let go do not count.
COUNTED: Final = ("confirmed", "completed", "no_show")
_HOUR: Final = timedelta(hours=1)
# No visit is longer: one that reaches into the period began no earlier before it.
_VISIT_MAX: Final = timedelta(days=1)

# A bucket's number is the hour's in the period. A visit is cut into the hours that it touches.
_TAKEN = text("""
    WITH hour (number, starts_at, ends_at) AS (
        SELECT number, starts_at, (CAST(:hours AS timestamptz[]))[number + 1]
        FROM unnest(CAST(:hours AS timestamptz[])) WITH ORDINALITY AS begun (starts_at, number)
    ),
    visit AS (
        SELECT starts_at, ends_at,
            greatest(1, width_bucket(starts_at, CAST(:hours AS timestamptz[]))) AS first,
            width_bucket(ends_at - interval '1 microsecond', CAST(:hours AS timestamptz[])) AS last
        FROM booking
        WHERE studio_id = :studio_id AND starts_at >= :begins_from AND starts_at < :ends_at
            AND ends_at > :starts_at AND state = ANY (:counted)
            AND hall_id = ANY (:hall_ids)
    )
    SELECT hour.number - 1 AS hour, count(*) AS visits,
        sum(extract(epoch FROM least(visit.ends_at, hour.ends_at) - greatest(visit.starts_at, hour.starts_at))
        / 60)::bigint AS minutes
    FROM visit JOIN hour ON hour.number BETWEEN visit.first AND visit.last AND hour.ends_at IS NOT NULL
    GROUP BY hour.number
""")


class HeatCell(View):
    """One hour of the week. `weekday` 1 is Monday; hour 18 is from 18:00 to 19:00 on the studio's clock.

    A visit counts in each hour that it is in. Without open time there is no share; an hour that was
    open longer when its visits were booked shows 100 at most.
    """

    weekday: Annotated[int, Field(ge=1, le=7)]
    hour: Annotated[int, Field(ge=0, le=23)]
    open_minutes: int
    taken_minutes: int
    share_percent: Annotated[int | None, Field(ge=0, le=100)]
    count: int


class HallChoice(View):
    """A hall that may be asked for."""

    hall_id: UUID
    name: str


class HeatMap(View):
    """All hours of the week over a period, of one hall or all that are for sale."""

    period: PeriodView
    as_of: datetime
    hall_id: UUID | None
    halls: list[HallChoice]
    cells: list[HeatCell]


HEAT_CHART: Final = Chart(
    NAME,
    (
        Column("weekday", "count"),
        Column("hour", "count"),
        Column("open_minutes", "count"),
        Column("taken_minutes", "count"),
        Column("share_percent", "count"),
        Column("count", "count"),
    ),
    # Read by `read_heat`, which is told the hall, too.
    lambda _reading: [],
)


def read_heat(desk: Desk, period: Period, hall_id: UUID | None = None) -> HeatMap:
    """Raises Problem 403 without `bookings.read`, 404 for no such hall, 422 for a period that is too long."""
    desk.require("bookings.read")
    if len(period.days) > DAYS_LIMIT:
        raise Problem(
            422, "invalid_request", errors=[{"at": "to", "fault": "too_long", "days_limit": DAYS_LIMIT}]
        )
    with desk.transaction() as connection:
        halls = read_halls(connection, only_active=False)[:HALLS_LIMIT]
        asked = [hall for hall in halls if (hall.is_active if hall_id is None else hall.id == hall_id)]
        if hall_id is not None and not asked:
            raise not_found()
        taken = _read_taken(connection, desk.studio_id, [hall.id for hall in asked], period)
    return HeatMap(
        period=period_view(period),
        as_of=period.calendar.now,
        hall_id=hall_id,
        halls=[HallChoice(hall_id=hall.id, name=hall.name) for hall in halls],
        cells=_cells(period, _open_minutes(asked, hours_of(period)), taken),
    )


def hours_of(period: Period) -> list[datetime]:
    """Where each hour of the period begins and, last, where it ends. A day has as many as its clock shows."""
    begun = [
        midnight + _HOUR * number
        for midnight, next_midnight in pairwise(period.midnights)
        for number in range(-((midnight - next_midnight) // _HOUR))
    ]
    return [*begun, period.midnights[-1]]


def _read_taken(
    connection: Connection, studio_id: UUID, hall_ids: list[UUID], period: Period
) -> dict[int, tuple[int, int]]:
    """(minutes, visits) by the hour's place in the period, where there are any."""
    hours = hours_of(period)
    asked = {
        "studio_id": studio_id,
        "hall_ids": hall_ids,
        "hours": hours,
        "begins_from": hours[0] - _VISIT_MAX,
        "starts_at": hours[0],
        "ends_at": hours[-1],
        "counted": list(COUNTED),
    }
    return {row.hour: (row.minutes, row.visits) for row in connection.execute(_TAKEN, asked)}


def _open_minutes(halls: Sequence[Hall], hours: Sequence[datetime]) -> dict[int, int]:
    """The minutes that halls are open, by the hour's place, all halls together."""
    minutes = defaultdict[int, int](int)
    for hall in halls:
        for span in open_spans(hall.rules, Span(hours[0], hours[-1])):
            place = bisect_right(hours, span.starts_at) - 1
            while place < len(hours) - 1 and hours[place] < span.ends_at:
                inside = Span(max(hours[place], span.starts_at), min(hours[place + 1], span.ends_at))
                minutes[place] += inside.minutes
                place += 1
    return minutes


def _cells(
    period: Period, is_open: Mapping[int, int], taken: Mapping[int, tuple[int, int]]
) -> list[HeatCell]:
    zone = ZoneInfo(period.calendar.timezone)
    sums = {(weekday, hour): [0, 0, 0] for weekday in WEEKDAYS for hour in HOURS}
    for place, starts_at in enumerate(hours_of(period)[:-1]):
        local = starts_at.astimezone(zone)
        found = (is_open.get(place, 0), *taken.get(place, (0, 0)))
        sums[local.isoweekday(), local.hour] = [
            one + more for one, more in zip(sums[local.isoweekday(), local.hour], found, strict=True)
        ]
    return [
        HeatCell(
            weekday=weekday,
            hour=hour,
            open_minutes=open_minutes,
            taken_minutes=taken_minutes,
            share_percent=min(100, round(100 * taken_minutes / open_minutes)) if open_minutes else None,
            count=count,
        )
        for (weekday, hour), (open_minutes, taken_minutes, count) in sums.items()
    ]
