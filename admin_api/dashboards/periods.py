"""The days that a dashboard is about, in the studio's own calendar. Pure but for asking which studio it is.

A day begins at midnight where the studio is, so days of 23 and 25 hours are days like any other.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import text

from admin_api.desk import Desk
from web.problems import Problem, invalid

DAYS_LIMIT: Final = 400
# Far enough to see a month that has just begun as a whole, and everything that was ever billed.
DAYS_AHEAD_LIMIT: Final = 366
FIRST_DAY: Final = date(2000, 1, 1)

# From today's date to the first day; the last day is today.
PRESETS: Final[Mapping[str, Callable[[date], date]]] = {
    "7d": lambda today: today - timedelta(days=6),
    "30d": lambda today: today - timedelta(days=29),
    "90d": lambda today: today - timedelta(days=89),
    "month": lambda today: today.replace(day=1),
    "year": lambda today: today.replace(month=1, day=1),
}
DEFAULT_PRESET: Final = "30d"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_CALENDAR = text("""
    SELECT s.name, s.timezone, s.currency, coalesce(c.offset_seconds, 0) AS offset_seconds
    FROM studio s LEFT JOIN clock_offset c ON c.studio_id = s.id
    WHERE s.id = :studio_id
""")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The person's studio: its name, zone and currency, and `now` by its own clock."""

    studio_name: str
    timezone: str
    currency: str
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.timezone)).date()


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both ends included. `preset` names how it was chosen, or is empty."""

    from_on: date
    to_on: date
    calendar: Calendar
    preset: str = ""

    @property
    def days(self) -> list[date]:
        count = (self.to_on - self.from_on).days + 1
        return [self.from_on + timedelta(days=number) for number in range(count)]

    @property
    def midnights(self) -> list[datetime]:
        """Where each day begins and, last, where the period ends, in UTC: one more than there are days."""
        zone = ZoneInfo(self.calendar.timezone)
        days = [*self.days, self.to_on + timedelta(days=1)]
        return [datetime.combine(day, time.min, zone).astimezone(UTC) for day in days]


def calendar_of(desk: Desk) -> Calendar:
    """Of the studio that the person belongs to, the platform's own included."""
    with desk.transaction() as connection:
        row = connection.execute(_CALENDAR, {"studio_id": desk.studio_id}).one()
    now = desk.now + timedelta(seconds=row.offset_seconds)
    return Calendar(row.name, row.timezone, row.currency, now)


def period_of(desk: Desk, from_text: str = "", to_text: str = "", preset: str = "") -> Period:
    """What a person asked for, DEFAULT_PRESET if nothing. Raises Problem 422 (invalid_request)."""
    return choose_period(calendar_of(desk), from_text, to_text, preset)


def choose_period(calendar: Calendar, from_text: str, to_text: str, preset: str) -> Period:
    """Dates (`2026-11-21`) go before a preset; one of them alone is completed to the default's length.

    Raises Problem 422 (invalid_request) for what is no date, no preset, inverted, too long or far away.
    """
    today = calendar.today
    if not from_text and not to_text:
        chosen = preset or DEFAULT_PRESET
        if chosen not in PRESETS:
            raise invalid(("preset", "unknown"))
        return Period(PRESETS[chosen](today), today, calendar, chosen)
    length = timedelta(days=29)
    to_on = _read_date("to", to_text, today) if to_text else None
    from_on = _read_date("from", from_text, today) if from_text else max(FIRST_DAY, (to_on or today) - length)
    if to_on is None:
        to_on = max(from_on, min(today, from_on + timedelta(days=DAYS_LIMIT - 1)))
    if to_on < from_on:
        raise invalid(("to", "before_from"))
    if (to_on - from_on).days >= DAYS_LIMIT:
        raise Problem(
            422, "invalid_request", errors=[{"at": "to", "fault": "too_long", "days_limit": DAYS_LIMIT}]
        )
    return Period(from_on, to_on, calendar)


def _read_date(name: str, typed: str, today: date) -> date:
    try:
        if not _DATE.fullmatch(typed):
            raise ValueError
        day = date.fromisoformat(typed)
    except ValueError:
        raise invalid((name, "not_a_date")) from None
    if not FIRST_DAY <= day <= today + timedelta(days=DAYS_AHEAD_LIMIT):
        raise invalid((name, "out_of_range"))
    return day
