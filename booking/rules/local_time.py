"""Local dates as stretches of whole minutes: what the rules count with inside, instead of datetimes.

Called by calendar, availability and prices. A minute is counted from 1970 in UTC; a minute of a date, from
what its clock calls 00:00. The clocks of a zone are asked once for each date and remembered.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from booking.rules.reading import DAY_MINUTES

EPOCH_DAY = date(1970, 1, 1).toordinal()
# Longer than a hall's farthest horizon; a date costs a few microseconds once it is remembered.
DATES_LIMIT = 800
# What is remembered: a few zones, for the years about now.
STRETCHES_KEPT = 16_384
INSTANTS_KEPT = 65_536

# No zone is farther than this from UTC, and none changes its clocks twice within the time between two looks.
_ZONE_MINUTES_MAX = 16 * 60
_LOOK_MINUTES = 180


class Stretch(NamedTuple):
    """Minutes from `starts` until `ends` in which the clock is `offset` ahead of UTC."""

    starts: int
    ends: int
    offset: int


def minute_floor(at: datetime) -> int:
    """The minute that an instant lies in."""
    return int(at.timestamp() // 60)


def minute_ceil(at: datetime) -> int:
    """The first minute that does not begin before an instant."""
    return int(-(-at.timestamp() // 60))


@lru_cache(INSTANTS_KEPT)
def instant(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


@lru_cache(INSTANTS_KEPT)
def offset_at(timezone: str, minute: int) -> int:
    """How many whole minutes the clock is ahead of UTC; seconds, which no zone has had since 1972, are
    dropped."""
    offset = instant(minute).astimezone(ZoneInfo(timezone)).utcoffset() or timedelta()
    return offset // timedelta(minutes=1)


def midnight_of(day: date) -> int:
    """What its clock calls 00:00, as if the clock were in UTC: a minute less the offset is a minute of
    1970."""
    return (day.toordinal() - EPOCH_DAY) * DAY_MINUTES


@lru_cache(STRETCHES_KEPT)
def stretches(timezone: str, day: date) -> tuple[Stretch, ...]:
    """The time in which the local date is `day`, in order.

    One stretch, of 1440 minutes, unless the clocks change that day: then one before and one after. None where
    a zone left a date out.
    """
    midnight = midnight_of(day)
    found = []
    for starts, ends, offset in _offsets(timezone, midnight - _ZONE_MINUTES_MAX):
        first = max(starts, midnight - offset)
        last = min(ends, midnight + DAY_MINUTES - offset)
        if first < last:
            found.append(Stretch(first, last, offset))
    return tuple(found)


def _offsets(timezone: str, starts: int) -> list[Stretch]:
    """The offsets of all the time that may belong to one date, cut where they change."""
    ends = starts + DAY_MINUTES + 2 * _ZONE_MINUTES_MAX
    found = []
    since, offset = starts, offset_at(timezone, starts)
    for look in range(starts, ends, _LOOK_MINUTES):
        later = offset_at(timezone, min(look + _LOOK_MINUTES, ends))
        if later != offset:
            change = _change_between(timezone, look, look + _LOOK_MINUTES)
            found.append(Stretch(since, change, offset))
            since, offset = change, later
    found.append(Stretch(since, ends, offset))
    return found


def _change_between(timezone: str, before: int, after: int) -> int:
    """The first minute with the later offset."""
    early = offset_at(timezone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(timezone, middle) == early:
            before = middle
        else:
            after = middle
    return after


def dates_between(timezone: str, starts: int, ends: int) -> tuple[date, date]:
    """The first and the last local date of the minutes from `starts` until `ends`, with one more on either
    side: a clock that is put back across midnight returns to a date that was over.

    Raises: `ValueError` where that is more than `DATES_LIMIT`.
    """
    if ends - starts > DATES_LIMIT * DAY_MINUTES:
        raise ValueError(f"more than {DATES_LIMIT} dates")
    first = starts + offset_at(timezone, starts)
    last = ends - 1 + offset_at(timezone, ends - 1)
    return (
        date.fromordinal(EPOCH_DAY + first // DAY_MINUTES - 1),
        date.fromordinal(EPOCH_DAY + last // DAY_MINUTES + 1),
    )
