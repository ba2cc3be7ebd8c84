"""When a hall is open: by weekday and season, on the studio's own clock.

Called by availability and by the pages that show a hall's hours. What is taken is not known here.

A rule's hours on a date run from the first instant of that date whose local time is at or after `opens` to
the last one whose local time is before `closes`. So an opening at a time that the clocks skip is at the next
that there is, an opening at one that they repeat is at the first of the two, and a closing there at the
second. A skipped hour is not sold, a repeated one is sold twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from booking.rules.local_time import dates_between, instant, midnight_of, minute_ceil, minute_floor, stretches
from booking.rules.reading import each_rule

HOURS_LIMIT = 50
# Calendars that are remembered: halls times the windows that are asked for in a while.
CALENDARS_KEPT = 4_096

Minutes = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """From `starts_at` until `ends_at`, which does not belong to it. Aware, in UTC."""

    starts_at: datetime
    ends_at: datetime

    @property
    def minutes(self) -> int:
        """Elapsed, whole minutes."""
        return (self.ends_at - self.starts_at) // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Open on these ISO weekdays from `opens` until `closes`, minutes of the local day (0 to 1440).

    With a `first_day` or a `last_day`, both inclusive, the rule is seasonal. On a date that any seasonal rule
    covers, whatever its weekdays, only seasonal rules count.
    """

    weekdays: frozenset[int]
    opens: int
    closes: int
    first_day: date | None = None
    last_day: date | None = None

    @property
    def is_seasonal(self) -> bool:
        return self.first_day is not None or self.last_day is not None

    def covers(self, day: date) -> bool:
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )


@dataclass(frozen=True, slots=True)
class HallRules:
    """How the time of one hall is sold. `timezone` is the studio's."""

    timezone: str
    hours: tuple[OpenHours, ...]
    step_minutes: int
    minutes_min: int
    minutes_max: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    notice_minutes: int
    horizon_days: int


def read_hours(rules: object) -> tuple[OpenHours, ...]:
    """The opening hours in a JSON list `[{"weekdays": [1, 2], "opens": "10:00", "closes": "24:00", "from":
    "2026-06-01", "until": "2026-08-31"}, ...]`; `from` and `until` may be absent. Past midnight takes two
    rules.

    Raises: `ValueError` in words for the admin.
    """
    known = ("weekdays", "opens", "closes", "from", "until")
    return tuple(
        OpenHours(fields.weekdays(), *fields.minutes("opens", "closes"), *fields.season())
        for fields in each_rule("hours", rules, known, HOURS_LIMIT)
    )


def open_spans(rules: HallRules, window: Span) -> list[Span]:
    """When the hall is open within the window, joined where one date's hours go on in the next.

    Raises: `ValueError` for a window of more than `local_time.DATES_LIMIT` days.
    """
    starts, ends = minute_ceil(window.starts_at), minute_floor(window.ends_at)
    if starts >= ends:
        return []
    open_minutes = minutes_open(rules.timezone, rules.hours, *dates_between(rules.timezone, starts, ends))
    return [
        Span(instant(max(opens, starts)), instant(min(closes, ends)))
        for opens, closes in open_minutes
        if opens < ends and closes > starts
    ]


@lru_cache(CALENDARS_KEPT)
def minutes_open(
    timezone: str, hours: tuple[OpenHours, ...], first_day: date, last_day: date
) -> tuple[Minutes, ...]:
    """When halls with these hours are open on these dates, both inclusive: minutes since 1970, joined, in
    order."""
    joined: list[Minutes] = []
    for opens, closes in sorted(_minutes_by_date(timezone, hours, first_day, last_day)):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(closes, joined[-1][1]))
        else:
            joined.append((opens, closes))
    return tuple(joined)


def _minutes_by_date(
    timezone: str, hours: Sequence[OpenHours], first_day: date, last_day: date
) -> Iterator[Minutes]:
    usual = [rule for rule in hours if not rule.is_seasonal]
    seasonal = [rule for rule in hours if rule.is_seasonal]
    day = first_day
    while day <= last_day:
        in_season = [rule for rule in seasonal if rule.covers(day)]
        weekday = day.isoweekday()
        for rule in in_season or usual:
            if weekday in rule.weekdays and (minutes := _on_date(timezone, day, rule.opens, rule.closes)):
                yield minutes
        day += timedelta(days=1)


def _on_date(timezone: str, day: date, opens: int, closes: int) -> Minutes | None:
    midnight = midnight_of(day)
    within = []
    for starts, ends, offset in stretches(timezone, day):
        first = max(starts, midnight + opens - offset)
        last = min(ends, midnight + closes - offset)
        if first < last:
            within.append((first, last))
    return (within[0][0], within[-1][1]) if within else None
