"""Free time as it is shown: runs with what an hour costs, starts for a duration, and what else there is.

Called by the routes, and by the admin for bookings on a client's behalf. What is free is found by the very
function that checks a quote, so that whatever is shown can be quoted, and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection

from booking.offers import make_offer
from booking.queries import Hall, find_hall, read_halls, read_taken, read_tariffs
from booking.rules.availability import check_slot, free_spans, nearest_free, nearest_window, starts_in
from booking.rules.calendar import HallRules, Span
from booking.rules.prices import Band, Tariff, bands_of
from bus.messages import ExtraWanted, Offer
from kit.errors import Refused

# Runs and starts in one answer, some 300 and 30 bytes each: 20 megabytes at most.
RUNS_LIMIT: Final = 50_000
STARTS_LIMIT: Final = 150_000
INSTANTS_KEPT: Final = 32_768
NEAREST_LIMIT: Final = 5
OTHER_HALLS_LIMIT: Final = 3

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


def alternatives(
    connection: Connection,
    hall_id: UUID,
    slot: Span,
    people: int,
    now: datetime,
    except_booking: UUID | None = None,
) -> list[Json]:
    """What else could be booked: the nearest times of the same length in this hall, then other halls at this
    very time, for as many people."""
    hall = find_hall(connection, hall_id)
    nearest: list[Json] = []
    if hall is not None:
        taken = read_taken(connection, [hall_id], nearest_window(slot), except_booking)[hall_id]
        spans = nearest_free(hall.rules, taken, slot, now, NEAREST_LIMIT)
        nearest = [_alternative(hall, span) for span in spans]
    others = _others(connection, hall_id, slot, people, now, except_booking)
    return nearest + [_alternative(other, slot) for other in others]


def taken_facts(
    connection: Connection,
    refusal: Mapping[str, object],
    hall_id: UUID,
    slot: Span,
    people: int,
    now: datetime,
    except_booking: UUID | None,
) -> Json:
    """What helps whoever was refused a taken time: `alternatives`. Nothing for other refusals."""
    if refusal.get("code") != "slot_taken":
        return {}
    return {"alternatives": alternatives(connection, hall_id, slot, people, now, except_booking)}


def make_offer_or_alternatives(
    connection: Connection,
    hall_id: UUID,
    slot: Span,
    people: int,
    extras: Sequence[ExtraWanted],
    now: datetime,
    except_booking: UUID | None = None,
) -> Offer:
    """`make_offer`, for whoever chooses a time: the refusal of one that is taken has `alternatives`."""
    try:
        return make_offer(connection, hall_id, slot, people, extras, now, except_booking)
    except Refused as refusal:
        recorded = {"code": refusal.code, **refusal.facts}
        more = taken_facts(connection, recorded, hall_id, slot, people, now, except_booking)
        if not more:
            raise
        raise Refused(refusal.code, **refusal.facts, **more) from None


def _others(
    connection: Connection,
    hall_id: UUID,
    slot: Span,
    people: int,
    now: datetime,
    except_booking: UUID | None,
) -> list[Hall]:
    halls = [hall for hall in read_halls(connection) if hall.id != hall_id and hall.capacity >= people]
    hall_ids = [hall.id for hall in halls]
    taken = read_taken(connection, hall_ids, slot, except_booking)
    tariffs = read_tariffs(connection, hall_ids, now)
    free = (hall for hall in halls if hall.id in tariffs and _is_free(hall, taken[hall.id], slot, now))
    return list(islice(free, OTHER_HALLS_LIMIT))


def _is_free(hall: Hall, taken: Sequence[Span], slot: Span, now: datetime) -> bool:
    try:
        check_slot(hall.rules, taken, slot, now)
    except Refused:
        return False
    return True


def _alternative(hall: Hall, span: Span) -> Json:
    times = _local_span(hall.rules.timezone, span)
    return {"hall_id": str(hall.id), "hall_name": hall.name, **times}
