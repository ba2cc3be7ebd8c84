"""Periods are counted on the studio's calendar."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import PeriodUnit, next_period, period_end

MOSCOW, BERLIN, UTC_NAME = "Europe/Moscow", "Europe/Berlin", "UTC"


def _at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "unit", "count", "zone", "end"),
    [
        ("2026-01-31T10:00", "month", 1, MOSCOW, "2026-02-28T10:00"),
        ("2028-01-31T10:00", "month", 1, MOSCOW, "2028-02-29T10:00"),
        ("2026-01-31T10:00", "month", 2, MOSCOW, "2026-03-31T10:00"),
        ("2026-12-31T23:30", "month", 2, MOSCOW, "2027-02-28T23:30"),
        ("2028-02-29T00:00", "year", 1, MOSCOW, "2029-02-28T00:00"),
        ("2028-02-29T00:00", "year", 4, MOSCOW, "2032-02-29T00:00"),
        ("2026-03-01T00:30", "month", 1, MOSCOW, "2026-04-01T00:30"),
        ("2026-03-01T12:00", "day", 1, MOSCOW, "2026-03-02T12:00"),
        ("2026-03-01T12:00", "week", 2, MOSCOW, "2026-03-15T12:00"),
        # Clocks go forward on 29 March and back on 25 October 2026: the wall clock keeps the hour.
        ("2026-03-28T12:00", "day", 1, BERLIN, "2026-03-29T12:00"),
        ("2026-03-10T09:00", "month", 1, BERLIN, "2026-04-10T09:00"),
        ("2026-10-24T12:00", "day", 1, BERLIN, "2026-10-25T12:00"),
        ("2026-10-01T09:00", "month", 1, UTC_NAME, "2026-11-01T09:00"),
    ],
)
def test_a_period_ends_at_the_same_hour_of_the_studios_day(
    start: str, unit: PeriodUnit, count: int, zone: str, end: str
) -> None:
    assert period_end(_at(start, zone), unit, count, zone) == _at(end, zone)


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    spring, autumn = _at("2026-03-28T12:00", BERLIN), _at("2026-10-24T12:00", BERLIN)
    assert period_end(spring, "day", 1, BERLIN) - spring == timedelta(hours=23)
    assert period_end(autumn, "day", 1, BERLIN) - autumn == timedelta(hours=25)
    assert period_end(spring, "day", 1, MOSCOW) - spring == timedelta(hours=24)


def test_a_month_is_counted_where_the_studio_is_not_where_the_server_is() -> None:
    """22:30 UTC on 31 January is 1 February in Moscow: the month ends on 1 March there."""
    start = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
    assert period_end(start, "month", 1, MOSCOW) == datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    assert period_end(start, "month", 1, UTC_NAME) == datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    assert period_end(start, "month", 2, MOSCOW) == datetime(2026, 3, 31, 22, 30, tzinfo=UTC)


def test_an_hour_that_does_not_exist_still_gives_an_instant() -> None:
    start = _at("2026-02-28T02:30", BERLIN)
    assert period_end(start, "day", 29, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 366),
    st.sampled_from([MOSCOW, BERLIN, UTC_NAME, "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu"]),
)
def test_a_period_always_ends_after_it_began(
    start: datetime, unit: PeriodUnit, count: int, zone: str
) -> None:
    end = period_end(start, unit, count, zone)
    assert end > start
    assert end.tzinfo is UTC


ZONES = st.sampled_from([MOSCOW, BERLIN, UTC_NAME, "America/Sao_Paulo", "Asia/Kathmandu"])
UNITS = st.sampled_from(["day", "week", "month", "year"])
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LATER: dict[PeriodUnit, Callable[[int], relativedelta]] = {
    "day": lambda count: relativedelta(days=count),
    "week": lambda count: relativedelta(weeks=count),
    "month": lambda count: relativedelta(months=count),
    "year": lambda count: relativedelta(years=count),
}


@given(INSTANTS, UNITS, st.integers(1, 13), ZONES)
def test_periods_tile_and_none_drifts_from_the_first(
    anchor_at: datetime, unit: PeriodUnit, count: int, zone: str
) -> None:
    """The end of the n-th is n times the price's period after the first began, whatever lay between."""
    first = anchor_at.astimezone(ZoneInfo(zone)).replace(fold=0)
    end = period_end(anchor_at, unit, count, zone)
    for number in range(1, 15):
        assert end == (first + LATER[unit](number * count)).astimezone(UTC)
        period = next_period(end, unit, count, zone, anchor_at)
        assert period.start == end < period.end
        end = period.end


@given(INSTANTS, st.lists(st.tuples(UNITS, st.integers(1, 13)), min_size=1, max_size=12), ZONES)
def test_periods_of_changing_prices_tile_and_are_as_long_as_they_are_sold(
    anchor_at: datetime, lengths: list[tuple[PeriodUnit, int]], zone: str
) -> None:
    """A month from the last of February may reach the 31st of March, where the first one began."""
    end = anchor_at
    for unit, count in lengths:
        period = next_period(end, unit, count, zone, anchor_at)
        assert period.start == end < period.end
        sold = end.astimezone(ZoneInfo(zone)).date() + LATER[unit](count)
        longer = period.end.astimezone(ZoneInfo(zone)).date() - sold
        assert timedelta() <= longer <= timedelta(days=3)
        end = period.end


def test_a_month_begun_on_the_last_day_ends_on_the_last_day_of_each() -> None:
    anchor_at = end = _at("2027-10-31T10:00", BERLIN)
    ends = []
    for _ in range(6):
        end = next_period(end, "month", 1, BERLIN, anchor_at).end
        ends.append(end.astimezone(ZoneInfo(BERLIN)).strftime("%Y-%m-%d %H:%M"))
    assert ends == [
        "2027-11-30 10:00", "2027-12-31 10:00", "2028-01-31 10:00", "2028-02-29 10:00", "2028-03-31 10:00",
        "2028-04-30 10:00",
    ]  # fmt: skip


def test_a_year_begun_on_a_leap_day_comes_back_to_it() -> None:
    anchor_at = end = _at("2028-02-29T00:00", MOSCOW)
    for day in ("2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"):
        end = next_period(end, "year", 1, MOSCOW, anchor_at).end
        assert end == _at(f"{day}T00:00", MOSCOW)
