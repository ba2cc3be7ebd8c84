"""What a time in a hall costs: rates by the studio's own clock, tiers by length, people and extras.

Called by the APIs: bands to show, lines to quote. Nothing is stored or reserved here, and whether the time
can be booked is not asked.

Every minute costs a sixtieth of what its hour costs by the first rate that holds at its local time, so that a
slot may run across rates, midnight and changes of clocks; minutes are real ones. The longest duration tier
that the whole slot reaches takes its percent off the hall's hours, not off people and extras.

Rounding: each line is rounded once, half up, from the exact amount to a multiple of `rounding_minor`, and is
never less than one of these. The total is the sum of its lines.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.rules.calendar import Span
from booking.rules.local_time import (
    dates_between,
    instant,
    midnight_of,
    minute_ceil,
    minute_floor,
    stretches,
)
from booking.rules.reading import DAY_MINUTES, each_rule

RATES_LIMIT = 20
TIERS_LIMIT = 10
RATE_NAME_MAX = 60
PERCENT_OFF_MAX = 90
PER_HOUR_MINOR_MAX = 1_000_000_000_000
# What is remembered of tariffs: each for the windows that are asked for in a while.
PRICE_TABLES_KEPT = 4_096

# A line's description is at most 200 characters, with a rate's name and the time.
_NAME_SHOWN = 100

ExtraUnit = Literal["hour", "booking"]

# From one minute since 1970 until another: the rate's name and what its hour costs.
_Priced = tuple[int, int, str, int]


@dataclass(frozen=True, slots=True)
class Rate:
    """What an hour costs on these ISO weekdays from `starts` until `ends`, minutes of the local day (0 to
    1440), from `first_day` to `last_day`, both inclusive."""

    name: str
    weekdays: frozenset[int]
    starts: int
    ends: int
    first_day: date | None
    last_day: date | None
    per_hour_minor: int

    def holds_on(self, day: date) -> bool:
        return (
            day.isoweekday() in self.weekdays
            and (self.first_day is None or self.first_day <= day)
            and (self.last_day is None or day <= self.last_day)
        )


@dataclass(frozen=True, slots=True)
class DurationTier:
    """A slot of `minutes_from` or more has `percent_off` its hours."""

    minutes_from: int
    percent_off: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of what a hall's time costs; the first of `rates` that holds, else `per_hour_minor`."""

    id: UUID
    currency: str
    per_hour_minor: int
    rates: tuple[Rate, ...]
    duration_tiers: tuple[DurationTier, ...]
    people_included: int
    per_person_hour_minor: int
    rounding_minor: int

    @property
    def from_minor(self) -> int:
        """The least that an hour costs."""
        return min([self.per_hour_minor, *(rate.per_hour_minor for rate in self.rates)])

    def __hash__(self) -> int:
        """A version has one id: quick, where price tables are looked up for each run of time."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Band:
    """Time at one price. `name` is the rate's, empty for the tariff's own."""

    span: Span
    name: str
    per_hour_minor: int


@dataclass(frozen=True, slots=True)
class ExtraPrice:
    """What one of an extra costs, by the hour or for the whole booking."""

    id: UUID
    name: str
    unit: ExtraUnit
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Line:
    """`quantity` times `unit_amount_minor`, in words of no language."""

    description: str
    quantity: int
    unit_amount_minor: int


def read_rates(rules: object) -> tuple[Rate, ...]:
    """The rates in a JSON list `[{"name": "Evening", "weekdays": [5, 6], "starts": "18:00", "ends": "24:00",
    "from": "2026-06-01", "until": "2026-08-31", "per_hour_minor": 250000}, ...]`, in its order; `from` and
    `until` may be absent. Past midnight takes two rates.

    Raises: `ValueError` in words for the admin.
    """
    known = ("name", "weekdays", "starts", "ends", "from", "until", "per_hour_minor")
    return tuple(
        Rate(
            fields.text("name", RATE_NAME_MAX),
            fields.weekdays(),
            *fields.minutes("starts", "ends"),
            *fields.season(),
            fields.whole("per_hour_minor", 1, PER_HOUR_MINOR_MAX),
        )
        for fields in each_rule("rates", rules, known, RATES_LIMIT)
    )


def read_tiers(rules: object) -> tuple[DurationTier, ...]:
    """The tiers in a JSON list `[{"minutes_from": 240, "percent_off": 10}, ...]`, the longest first.

    Raises: `ValueError` in words for the admin.
    """
    tiers: dict[int, DurationTier] = {}
    for fields in each_rule("duration_tiers", rules, ("minutes_from", "percent_off"), TIERS_LIMIT):
        minutes = fields.whole("minutes_from", 1, DAY_MINUTES)
        if minutes in tiers:
            raise fields.fault("minutes_from", "expected a different length in each tier")
        tiers[minutes] = DurationTier(minutes, fields.whole("percent_off", 1, PERCENT_OFF_MAX))
    return tuple(tiers[minutes] for minutes in sorted(tiers, reverse=True))


def price_bands(tariff: Tariff, timezone: str, span: Span) -> list[Band]:
    """The span cut where its price or the name of its rate changes, in order; it begins and ends on whole
    minutes."""
    return bands_of(tariff, timezone, [span])[0]


def bands_of(tariff: Tariff, timezone: str, spans: Sequence[Span]) -> list[list[Band]]:
    """`price_bands` of each of many spans, all within `local_time.DATES_LIMIT` days."""
    if not spans:
        return []
    minutes = [(minute_floor(span.starts_at), minute_ceil(span.ends_at)) for span in spans]
    dates = dates_between(timezone, min(starts for starts, _ in minutes), max(ends for _, ends in minutes))
    table = _price_table(tariff, timezone, *dates)
    return [_bands_within(table, starts, ends) for starts, ends in minutes]


def quote_lines(
    tariff: Tariff,
    timezone: str,
    hall_name: str,
    slot: Span,
    people: int,
    extras: Sequence[tuple[ExtraPrice, int]],
) -> tuple[Line, ...]:
    """What a slot costs, line by line: each band of the hall's time, people beyond those included, each
    extra.

    Descriptions are names and times of the local clock: "Blue, Evening 18:00–22:00 −10%", "Blue +3
    18:00–22:00", "Light". `extras` are with their quantities. Whether the sum is one that can be taken is the
    caller's to check.
    """
    hall = hall_name[:_NAME_SHOWN]
    percent_off = max(
        (tier for tier in tariff.duration_tiers if tier.minutes_from <= slot.minutes),
        key=lambda tier: tier.minutes_from,
        default=DurationTier(0, 0),
    ).percent_off
    lines = [
        _band_line(tariff, timezone, hall, band, percent_off) for band in price_bands(tariff, timezone, slot)
    ]
    more = people - tariff.people_included
    if more > 0 and tariff.per_person_hour_minor:
        amount = _rounded(tariff, more * slot.minutes * tariff.per_person_hour_minor, 60)
        lines.append(Line(f"{hall} +{more} {_clock_times(timezone, slot)}", 1, amount))
    lines += [_extra_line(tariff, extra, quantity, slot.minutes) for extra, quantity in extras]
    return tuple(lines)


def _band_line(tariff: Tariff, timezone: str, hall: str, band: Band, percent_off: int) -> Line:
    amount = _rounded(tariff, band.span.minutes * band.per_hour_minor * (100 - percent_off), 6000)
    name = f"{hall}, {band.name}" if band.name else hall
    discount = f" −{percent_off}%" if percent_off else ""
    return Line(f"{name} {_clock_times(timezone, band.span)}{discount}", 1, amount)


def _extra_line(tariff: Tariff, extra: ExtraPrice, quantity: int, minutes: int) -> Line:
    """A line of one, where the rounded amount cannot be shared out among its pieces."""
    per_booking = extra.amount_minor * quantity
    amount = (
        _rounded(tariff, per_booking * minutes, 60)
        if extra.unit == "hour"
        else _rounded(tariff, per_booking, 1)
    )
    name = extra.name[:_NAME_SHOWN]
    if amount % quantity:
        return Line(f"{name} × {quantity}", 1, amount)
    return Line(name, quantity, amount // quantity)


def _rounded(tariff: Tariff, numerator: int, denominator: int) -> int:
    """The line's amount, as the rounding rule of this module says."""
    unit = tariff.rounding_minor
    return max(1, (2 * numerator + denominator * unit) // (2 * denominator * unit)) * unit


def _clock_times(timezone: str, span: Span) -> str:
    """Local times, with their offsets if these are not the same: a repeated hour is not 02:30–02:30."""
    zone = ZoneInfo(timezone)
    starts, ends = span.starts_at.astimezone(zone), span.ends_at.astimezone(zone)
    if starts.utcoffset() == ends.utcoffset():
        return f"{starts:%H:%M}–{ends:%H:%M}"
    # After the date and its "T".
    return "–".join(local.isoformat(timespec="minutes")[11:] for local in (starts, ends))


def _bands_within(table: Sequence[_Priced], starts: int, ends: int) -> list[Band]:
    bands = []
    # The row that `starts` lies in is the one before all that begin later.
    for index in range(bisect_left(table, (starts + 1, 0, "", 0)) - 1, len(table)):
        first, last, name, per_hour_minor = table[index]
        if first >= ends:
            break
        span = Span(instant(max(first, starts)), instant(min(last, ends)))
        bands.append(Band(span, name, per_hour_minor))
    return bands


@lru_cache(PRICE_TABLES_KEPT)
def _price_table(tariff: Tariff, timezone: str, first_day: date, last_day: date) -> tuple[_Priced, ...]:
    """All time of these dates at its price, joined where neither price nor name changes."""
    days = [first_day + timedelta(days=count) for count in range((last_day - first_day).days + 1)]
    table: list[_Priced] = []
    for row in sorted(row for day in days for row in _priced_on(tariff, timezone, day)):
        if table and table[-1][1] == row[0] and table[-1][2:] == row[2:]:
            table[-1] = (table[-1][0], *row[1:])
        else:
            table.append(row)
    return tuple(table)


def _priced_on(tariff: Tariff, timezone: str, day: date) -> Iterator[_Priced]:
    rates = [rate for rate in tariff.rates if rate.holds_on(day)]
    cuts = sorted({0, DAY_MINUTES, *(rate.starts for rate in rates), *(rate.ends for rate in rates)})
    midnight = midnight_of(day)
    for starts, ends in pairwise(cuts):
        rate = next((rate for rate in rates if rate.starts <= starts < rate.ends), None)
        name, price = (rate.name, rate.per_hour_minor) if rate else ("", tariff.per_hour_minor)
        for stretch in stretches(timezone, day):
            first = max(stretch.starts, midnight + starts - stretch.offset)
            last = min(stretch.ends, midnight + ends - stretch.offset)
            if first < last:
                yield first, last, name, price
