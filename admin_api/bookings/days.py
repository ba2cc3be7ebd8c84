"""Days as a studio's own clock has them: 23, 24 or 25 hours long. Pure but for reading what was typed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from admin_api.dashboards.periods import Calendar
from booking.rules.calendar import Span
from web.problems import Problem, invalid

DAYS_LIMIT: Final = 31
WEEK_DAYS: Final = 7
# Bookings are made some hundred days ahead and looked up for some years.
FIRST_DAY: Final = date(2000, 1, 1)
DAYS_AHEAD_LIMIT: Final = 1_100
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, from midnight to midnight where the studio is."""

    from_on: date
    count: int
    calendar: Calendar

    @property
    def dates(self) -> list[date]:
        return [self.from_on + timedelta(days=number) for number in range(self.count)]

    @property
    def window(self) -> Span:
        last = self.from_on + timedelta(days=self.count)
        return Span(midnight(self.from_on, self.zone), midnight(last, self.zone))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.calendar.timezone)

    def span_of(self, day: date) -> Span:
        """One day in UTC."""
        return Span(midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone))


def choose_days(calendar: Calendar, from_text: str, count: int) -> Days:
    """`count` days from the one that was typed (`2026-11-21`), or from today. Raises Problem 422."""
    if not 1 <= count <= DAYS_LIMIT:
        raise Problem(
            422, "invalid_request", errors=[{"at": "days", "fault": "out_of_range", "limit": DAYS_LIMIT}]
        )
    return Days(read_day(calendar, from_text), count, calendar)


def read_day(calendar: Calendar, typed: str) -> date:
    """Today if nothing was typed. Raises Problem 422."""
    if not typed:
        return calendar.today
    try:
        if not _DATE.fullmatch(typed):
            raise ValueError
        day = date.fromisoformat(typed)
    except ValueError:
        raise invalid(("from", "not_a_date")) from None
    if not FIRST_DAY <= day <= calendar.today + timedelta(days=DAYS_AHEAD_LIMIT):
        raise invalid(("from", "out_of_range"))
    return day


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Where a day begins, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def within(spans: Sequence[Span], window: Span) -> list[Span]:
    """What of the spans is in the window."""
    return [
        Span(max(span.starts_at, window.starts_at), min(span.ends_at, window.ends_at))
        for span in spans
        if span.starts_at < window.ends_at and span.ends_at > window.starts_at
    ]
