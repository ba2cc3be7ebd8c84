"""Free time as it is shown: runs with what an hour costs, and starts for a duration.

Called by the routes. What is free is found by the very function that checks a quote, so that whatever is
shown can be quoted, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection

from booking.queries import Hall, read_taken, read_tariffs
from booking.rules.availability import free_spans, starts_in
from booking.rules.calendar import HallRules, Span
from booking.rules.prices import Band, Tariff, bands_of
from kit.errors import Refused

# Runs and starts in one answer, some 300 and 30 bytes each: 20 megabytes at most.
RUNS_LIMIT: Final = 50_000
STARTS_LIMIT: Final = 150_000
INSTANTS_KEPT: Final = 32_768

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which time is asked about, by the studio's clock; with `minutes`, where so long a booking may start.

    What `except_booking` has itself counts as free: it may move to a time that overlaps its own.
    """

    window: Span
    minutes: int | None
    now: datetime
    except_booking: UUID | None = None


def window_of(timezone: str, first_day: date, until_day: date) -> Span:
    """From the midnight in which `first_day` begins until that of `until_day`, by the studio's clock."""
    zone = ZoneInfo(timezone)
    starts, ends = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first_day, until_day))
    return Span(starts, ends)


def availability(connection: Connection, timezone: str, halls: Sequence[Hall], asked: Asked) -> bytes:
    """The JSON of AvailabilityView. A hall without a price in force has nothing to be booked.

    Raises Refused (`answer_too_large`).
    """
    hall_ids = [hall.id for hall in halls]
    reach = reach_of([hall.rules for hall in halls], asked)
    taken = read_taken(connection, hall_ids, reach, asked.except_booking)
    tariffs = read_tariffs(connection, hall_ids, asked.now)
    shown, runs, starts = [], 0, 0
    for hall in halls:
        times = _times_of(hall, tariffs.get(hall.id), taken[hall.id], asked)
        shown.append(times.shown)
        runs, starts = runs + times.runs, starts + times.starts
        if runs > RUNS_LIMIT or starts > STARTS_LIMIT:
            raise Refused("answer_too_large")
    return orjson.dumps({"timezone": timezone, "halls": shown})


def reach_of(halls: Sequence[HallRules], asked: Asked) -> Span:
    """The time that bears on a window: what begins before its end may last longer, and so at its start."""
    least = max((rules.minutes_min for rules in halls), default=0)
    return Span(
        asked.window.starts_at - timedelta(minutes=least),
        asked.window.ends_at + timedelta(minutes=max(least, asked.minutes or 0)),
    )


class _Times(NamedTuple):
    """What is shown of one hall, and how many runs and starts that is."""

    shown: Json
    runs: int
    starts: int


def _times_of(hall: Hall, tariff: Tariff | None, taken: Sequence[Span], asked: Asked) -> _Times:
    rules = hall.rules
    runs = free_spans(rules, taken, reach_of([rules], asked), asked.now) if tariff else []
    free = _free(rules.timezone, tariff, runs, asked.window) if tariff else []
    shown: Json = {"hall_id": str(hall.id), "free": free}
    starts: list[str] = []
    if asked.minutes is not None:
        starts = _starts(rules, runs, asked.minutes, asked.window)
        shown["starts"] = starts
    return _Times(shown, len(free), len(starts))


def _free(timezone: str, tariff: Tariff, runs: Sequence[Span], window: Span) -> list[Json]:
    cut = [
        Span(max(run.starts_at, window.starts_at), min(run.ends_at, window.ends_at))
        for run in runs
        if run.starts_at < window.ends_at and run.ends_at > window.starts_at
    ]
    return [
        {**_local_span(timezone, run), "bands": [_band(timezone, band) for band in bands]}
        for run, bands in zip(cut, bands_of(tariff, timezone, cut), strict=True)
    ]


def _band(timezone: str, band: Band) -> Json:
    return {**_local_span(timezone, band.span), "name": band.name, "per_hour_minor": band.per_hour_minor}


def _starts(rules: HallRules, runs: Sequence[Span], minutes: int, window: Span) -> list[str]:
    return [
        _local(rules.timezone, at)
        for at in starts_in(rules, runs, minutes)
        if window.starts_at <= at < window.ends_at
    ]


def _local_span(timezone: str, span: Span) -> Json:
    return {"starts_at": _local(timezone, span.starts_at), "ends_at": _local(timezone, span.ends_at)}


@lru_cache(INSTANTS_KEPT)
def _local(timezone: str, at: datetime) -> str:
    """The same instants come back hall after hall."""
    return at.astimezone(ZoneInfo(timezone)).isoformat()
