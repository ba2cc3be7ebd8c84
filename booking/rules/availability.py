"""Which time of a hall can be booked: open, not taken, not too soon and not too far, on the grid of its
clock.

Called by the APIs, to list free time and to check a slot that somebody asks for: one sweep answers both. Who
else asks at the same moment is the updater's and the database's, not known here.

A slot begins and ends where the studio's clock shows a multiple of `step_minutes`, and lasts a multiple of it
in real minutes. A repeated local time is two different starts. Where the clocks move by what is no multiple
of the step (Lord Howe's half hour, with a step of 20 or 60), no slot lies across the change.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import ceil, floor

from booking.rules.calendar import (
    CALENDARS_KEPT,
    HallRules,
    Minutes,
    OpenHours,
    Span,
    minutes_open,
)
from booking.rules.local_time import (
    Stretch,
    dates_between,
    instant,
    minute_ceil,
    minute_floor,
    offset_at,
    stretches,
)
from kit.errors import Refused

# The widest buffer that a hall may have.
BUFFER_MINUTES_MAX = 240
# How long a hall may be closed at once.
BLACKOUT_DAYS_MAX = 366
# How far from a refused slot another is looked for, on either side.
NEAREST_WITHIN = timedelta(days=7)


def taken_window(window: Span) -> Span:
    """Where what is taken bears on the free time of a window, in any hall: the window and the widest
    buffers."""
    widest = timedelta(minutes=BUFFER_MINUTES_MAX)
    return Span(window.starts_at - widest, window.ends_at + widest)


def free_spans(rules: HallRules, taken: Sequence[Span], window: Span, now: datetime) -> list[Span]:
    """The runs of time within the window that can be booked, in order, at least `minutes_min` long each.

    `taken` is what stands in the hall's occupancy, already widened by its own buffers: at least all of it
    within `taken_window(window)`, in any order. The hall's buffers, which may lie outside its hours, are kept
    clear of it. Every start on the grid with every length of a multiple of the step, from `minutes_min` to
    `minutes_max`, that lies in one run can be booked, and no other.
    """
    return [Span(instant(starts), instant(ends)) for starts, ends in _free_minutes(rules, taken, window, now)]


def check_slot(rules: HallRules, taken: Sequence[Span], slot: Span, now: datetime) -> None:
    """Nothing, if the slot can be booked; `taken` as for `free_spans`.

    Raises: `Refused` off_grid, too_short, too_long, slot_in_the_past, too_soon, too_far, outside_hours,
    slot_taken; the first that is true.
    """
    if not (_is_on_grid(rules, slot.starts_at) and _is_on_grid(rules, slot.ends_at, is_end=True)):
        raise Refused("off_grid", step_minutes=rules.step_minutes)
    minutes = minute_floor(slot.starts_at), minute_floor(slot.ends_at)
    check_length(rules, minutes[1] - minutes[0])
    _check_nearness(rules, slot, now)
    if _free_minutes(rules, (), slot, now) != [minutes]:
        raise Refused("outside_hours")
    if _free_minutes(rules, taken, slot, now) != [minutes]:
        raise Refused("slot_taken")


def check_length(rules: HallRules, minutes: int) -> None:
    """Nothing, if the hall is booked for so long. Raises `Refused` too_short, too_long, off_grid."""
    if minutes < rules.minutes_min:
        raise Refused("too_short", minutes_min=rules.minutes_min)
    if minutes > rules.minutes_max:
        raise Refused("too_long", minutes_max=rules.minutes_max)
    if minutes % rules.step_minutes:
        raise Refused("off_grid", step_minutes=rules.step_minutes)


def can_be_booked(rules: HallRules, taken: Sequence[Span], slot: Span, now: datetime) -> bool:
    """Whether `check_slot` has nothing against it."""
    try:
        check_slot(rules, taken, slot, now)
    except Refused:
        return False
    return True


def starts_in(rules: HallRules, free: Sequence[Span], minutes: int) -> list[datetime]:
    """Where slots of so many minutes may begin in the runs of `free_spans`; none if the hall is not booked
    for so long, or so short."""
    if not rules.minutes_min <= minutes <= rules.minutes_max or minutes % rules.step_minutes:
        return []
    return [
        instant(start)
        for run in free
        for start in range(
            minute_floor(run.starts_at), minute_floor(run.ends_at) - minutes + 1, rules.step_minutes
        )
    ]


def nearest_window(slot: Span) -> Span:
    """Where `nearest_free` looks."""
    return Span(slot.starts_at - NEAREST_WITHIN, slot.ends_at + NEAREST_WITHIN)


def nearest_free(
    rules: HallRules, taken: Sequence[Span], slot: Span, now: datetime, limit: int
) -> list[Span]:
    """At most `limit` slots of the same length that can be booked, those that begin nearest in time first, of
    two the earlier; `taken` as for `free_spans` of `nearest_window(slot)`."""
    starts = starts_in(rules, free_spans(rules, taken, nearest_window(slot), now), slot.minutes)
    starts.sort(key=lambda start: (abs(start - slot.starts_at), start))
    return [Span(start, start + timedelta(minutes=slot.minutes)) for start in starts[:limit]]


def _check_nearness(rules: HallRules, slot: Span, now: datetime) -> None:
    if slot.starts_at <= now:
        raise Refused("slot_in_the_past")
    if slot.starts_at < now + timedelta(minutes=rules.notice_minutes):
        raise Refused("too_soon", notice_minutes=rules.notice_minutes)
    if slot.ends_at > now + timedelta(days=rules.horizon_days):
        raise Refused("too_far", horizon_days=rules.horizon_days)


def _is_on_grid(rules: HallRules, at: datetime, *, is_end: bool = False) -> bool:
    """Whether the clock shows a multiple of the step; at an end, the clock that the slot ends by."""
    minute = minute_floor(at)
    try:
        offset = offset_at(rules.timezone, minute - is_end)
    except OverflowError:
        # At the edge of the calendar some clocks have no time for it.
        return False
    return at.timestamp() == minute * 60 and (minute + offset) % rules.step_minutes == 0


def _free_minutes(rules: HallRules, taken: Iterable[Span], window: Span, now: datetime) -> list[Minutes]:
    notice_ends = minute_ceil(now + timedelta(minutes=rules.notice_minutes))
    horizon = minute_floor(now + timedelta(days=rules.horizon_days))
    starts = max(minute_ceil(window.starts_at), notice_ends, minute_floor(now) + 1)
    ends = min(minute_floor(window.ends_at), horizon)
    if starts >= ends:
        return []
    dates = dates_between(rules.timezone, starts, ends)
    runs = _grid_runs(rules.timezone, rules.hours, rules.step_minutes, *dates)
    # A slot clears what is taken with its buffers if it clears, without them, that widened by them.
    before, after = rules.buffer_before_minutes * 60, rules.buffer_after_minutes * 60
    blocked = sorted(
        [(span.starts_at.timestamp() - after, span.ends_at.timestamp() + before) for span in taken]
    )
    gaps = _gaps(blocked, starts, ends, rules.minutes_min)
    return _within(runs, gaps, rules.step_minutes, rules.minutes_min)


def _gaps(
    blocked: Iterable[tuple[float, float]], starts: int, ends: int, minutes_min: int
) -> Iterator[Minutes]:
    """The minutes that sorted times, in seconds, leave between, where these are long enough.

    Seconds, because most of what is taken leaves nothing before it: only what is left is rounded to minutes.
    """
    free_from, seconds_min = starts * 60.0, minutes_min * 60
    for blocked_from, blocked_until in blocked:
        if blocked_from - free_from >= seconds_min:
            yield ceil(free_from / 60), min(floor(blocked_from / 60), ends)
        if blocked_until > free_from:
            free_from = blocked_until
    if free_from < ends * 60:
        yield ceil(free_from / 60), ends


def _within(runs: Sequence[Minutes], gaps: Iterable[Minutes], step: int, minutes_min: int) -> list[Minutes]:
    """Where runs, which begin and end on the grid, and gaps meet: cut to the grid, where long enough. Both in
    order."""
    found = []
    first, count = 0, len(runs)
    for gap_starts, gap_ends in gaps:
        while first < count and runs[first][1] <= gap_starts:
            first += 1
        index = first
        while index < count and runs[index][0] < gap_ends:
            run_starts, run_ends = runs[index]
            starts = gap_starts + (run_starts - gap_starts) % step if gap_starts > run_starts else run_starts
            ends = gap_ends - (gap_ends - run_starts) % step if gap_ends < run_ends else run_ends
            if ends - starts >= minutes_min:
                found.append((starts, ends))
            index += 1
    return found


@lru_cache(CALENDARS_KEPT)
def _grid_runs(
    timezone: str, hours: tuple[OpenHours, ...], step: int, first_day: date, last_day: date
) -> tuple[Minutes, ...]:
    """Open time cut to the grid, and where the grid moves."""
    runs = []
    for opens, closes in minutes_open(timezone, hours, first_day, last_day):
        for starts, ends, offset in _grids(timezone, step, first_day, last_day):
            first, last = max(opens, starts), min(closes, ends)
            first += -(first + offset) % step
            last -= (last + offset) % step
            if first < last:
                runs.append((first, last))
    return tuple(runs)


@lru_cache(CALENDARS_KEPT)
def _grids(timezone: str, step: int, first_day: date, last_day: date) -> tuple[Stretch, ...]:
    """The time of these dates, cut where the clocks move by what is no multiple of the step."""
    days = (last_day - first_day).days + 1
    pieces = sorted(
        piece for day in range(days) for piece in stretches(timezone, first_day + timedelta(days=day))
    )
    grids = [pieces[0]]
    for piece in pieces[1:]:
        last = grids[-1]
        if piece.starts == last.ends and (piece.offset - last.offset) % step == 0:
            grids[-1] = Stretch(last.starts, piece.ends, last.offset)
        else:
            grids.append(piece)
    return tuple(grids)


def closed_from_now(span: Span, now: datetime) -> Span:
    """What a hall is closed for when somebody asks to close it for `span`: the part that is ahead, for what
    has been in it is in nobody's way. Raises Refused: closed_in_the_past (ends_at).
    """
    if span.ends_at <= now:
        raise Refused("closed_in_the_past", ends_at=span.ends_at.isoformat())
    return Span(max(span.starts_at, now), span.ends_at)
