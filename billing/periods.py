"""Billing periods: how long one price pays for."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

PeriodUnit = Literal["day", "week", "month", "year"]


def period_end(start: datetime, unit: PeriodUnit, count: int, timezone: str) -> datetime:
    """The instant `count` units after `start`, counted on the studio's own calendar.

    A month after 31 January is the last day of February. Result is in the zone of `start`.
    """
    local = start.astimezone(ZoneInfo(timezone))
    match unit:
        case "day":
            later = local + relativedelta(days=count)
        case "week":
            later = local + relativedelta(weeks=count)
        case "month":
            later = local + relativedelta(months=count)
        case "year":
            later = local + relativedelta(years=count)
    return later.astimezone(start.tzinfo)
