"""Billing periods: how long one price pays for, and where the next one ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

PeriodUnit = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until `end`, which belongs to the period after it."""

    start: datetime
    end: datetime


def period_end(
    start: datetime, unit: PeriodUnit, count: int, timezone: str, anchor_at: datetime | None = None
) -> datetime:
    """The instant `count` units after `start`, counted on the studio's own calendar.

    A month after 31 January is the last day of February. `anchor_at` is when the first of the periods began,
    if it was not this one: a period that begins on its day of the month, or on the last day of a month that
    has none such, ends on that day too, so that short months leave no trace. Nor do changes of clocks: the
    hour is the anchor's. Result is in the zone of `start`.
    """
    zone = ZoneInfo(timezone)
    first_day, anchor = start.astimezone(zone).date(), (anchor_at or start).astimezone(zone)
    is_on_anchor = first_day + relativedelta(day=anchor.day) == first_day
    day_of_month = anchor.day if is_on_anchor else first_day.day
    match unit:
        case "day":
            last_day = first_day + timedelta(days=count)
        case "week":
            last_day = first_day + timedelta(weeks=count)
        case "month":
            last_day = first_day + relativedelta(months=count, day=day_of_month)
        case "year":
            last_day = first_day + relativedelta(years=count, day=day_of_month)
    # Of an hour that the clocks have twice, the first.
    later = datetime.combine(last_day, anchor.time().replace(fold=0), zone)
    return later.astimezone(start.tzinfo)


def next_period(end: datetime, unit: PeriodUnit, count: int, timezone: str, anchor_at: datetime) -> Period:
    """The period that follows one that ends at `end`: it begins there, and ends as `period_end` says."""
    return Period(end, period_end(end, unit, count, timezone, anchor_at))
