"""Bands against an oracle that looks up every minute, in random tariffs about changes of clocks."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.rules.calendar import Span
from booking.rules.prices import Rate, Tariff, price_bands, quote_lines
from tests.unit.booking.rules.calendars import MOMENTS

PLAIN = Tariff(UUID(int=1), "EUR", 6_000, (), (), 1, 0, 1)


def _random_tariff(random: Random, day: date) -> Tariff:
    def season() -> date | None:
        return day + random.randint(-1, 1) * timedelta(days=1) if random.random() < 0.3 else None

    rates = []
    for _ in range(random.randint(0, 4)):
        starts = random.choice([0, 0, 60, 90, 120, random.randrange(1440)])
        rates.append(
            Rate(
                random.choice(["Day", "Night"]),
                frozenset(random.sample(range(1, 8), random.choice([7, 3]))),
                starts,
                random.choice([1440, min(1440, starts + random.randint(1, 200))]),
                season(),
                season(),
                random.choice([6_000, 12_000]),
            )
        )
    return replace(PLAIN, id=UUID(int=random.getrandbits(100)), rates=tuple(rates))


def _price_at(tariff: Tariff, timezone: str, at: datetime) -> tuple[str, int]:
    """The oracle: what the clock shows in one minute, and the first rate for it."""
    local = at.astimezone(ZoneInfo(timezone))
    day, minute = local.date(), local.hour * 60 + local.minute
    for rate in tariff.rates:
        in_season = (rate.first_day or date.min) <= day <= (rate.last_day or date.max)
        if day.isoweekday() in rate.weekdays and in_season and rate.starts <= minute < rate.ends:
            return rate.name, rate.per_hour_minor
    return "", tariff.per_hour_minor


def test_bands_are_what_every_minute_costs_in_random_tariffs_about_changes_of_clocks() -> None:
    minute = timedelta(minutes=1)
    for seed in range(1_000):
        random = Random(seed)
        timezone, day = random.choice(MOMENTS)
        tariff = _random_tariff(random, date.fromisoformat(day))
        starts_at = datetime.fromisoformat(day).replace(tzinfo=UTC) + random.randrange(-900, 900) * minute
        span = Span(starts_at, starts_at + random.randint(1, 360) * minute)
        bands = price_bands(tariff, timezone, span)
        assert (bands[0].span.starts_at, bands[-1].span.ends_at) == (span.starts_at, span.ends_at), (
            f"seed {seed}"
        )
        for earlier, later in pairwise(bands):
            assert earlier.span.ends_at == later.span.starts_at, f"seed {seed}"
            assert (earlier.name, earlier.per_hour_minor) != (later.name, later.per_hour_minor), (
                f"seed {seed}"
            )
        for band in bands:
            for index in range(band.span.minutes):
                price = _price_at(tariff, timezone, band.span.starts_at + index * minute)
                assert price == (band.name, band.per_hour_minor), f"seed {seed}, {timezone}, {band}"
        exact = sum(
            _price_at(tariff, timezone, starts_at + index * minute)[1] for index in range(span.minutes)
        )
        lines = quote_lines(tariff, timezone, "Blue", span, 1, ())
        assert sum(line.unit_amount_minor for line in lines) * 60 == exact, f"seed {seed}"
