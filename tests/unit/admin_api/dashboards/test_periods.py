"""The days that a dashboard is about: presets, bounds, midnights where clocks change, and bad input."""

from datetime import UTC, date, datetime, timedelta

import pytest

from admin_api.dashboards.periods import DAYS_LIMIT, PRESETS, Calendar, choose_period
from web.problems import Problem

# Half past midnight on the 22nd in Moscow.
LATE = datetime(2026, 11, 21, 21, 30, tzinfo=UTC)


def calendar(timezone: str = "Europe/Moscow", now: datetime = LATE) -> Calendar:
    return Calendar("Studio", timezone, "RUB", now)


def fault_of(from_text: str, to_text: str, preset: str = "") -> str:
    with pytest.raises(Problem) as caught:
        choose_period(calendar(), from_text, to_text, preset)
    assert (caught.value.status, caught.value.code) == (422, "invalid_request")
    ((error,),) = caught.value.facts.values()  # type: ignore[misc]
    return f"{error['at']} {error['fault']}"


@pytest.mark.parametrize(
    ("preset", "first", "days"),
    [
        ("7d", date(2026, 11, 16), 7),
        ("30d", date(2026, 10, 24), 30),
        ("90d", date(2026, 8, 25), 90),
        ("month", date(2026, 11, 1), 22),
        ("year", date(2026, 1, 1), 326),
    ],
)
def test_preset_ends_today_where_the_studio_is(preset: str, first: date, days: int) -> None:
    period = choose_period(calendar(), "", "", preset)
    assert (period.from_on, period.to_on, len(period.days)) == (first, date(2026, 11, 22), days)
    assert period.preset == preset


def test_every_preset_is_within_the_limit_on_the_last_day_of_a_leap_year() -> None:
    for preset in PRESETS:
        period = choose_period(calendar(now=datetime(2028, 12, 31, 12, tzinfo=UTC)), "", "", preset)
        assert len(period.days) <= DAYS_LIMIT


def test_nothing_asked_is_thirty_days() -> None:
    assert choose_period(calendar(), "", "", "").preset == "30d"


def test_dates_go_before_the_preset() -> None:
    period = choose_period(calendar(), "2026-01-05", "2026-01-06", "90d")
    assert period.days == [date(2026, 1, 5), date(2026, 1, 6)]
    assert period.preset == ""


def test_one_date_alone_is_completed() -> None:
    assert choose_period(calendar(), "2026-11-01", "", "").to_on == date(2026, 11, 22)
    assert choose_period(calendar(), "", "2026-03-30", "").from_on == date(2026, 3, 1)
    assert len(choose_period(calendar(), "2010-01-01", "", "").days) == DAYS_LIMIT


def test_a_day_begins_at_midnight_in_moscow() -> None:
    period = choose_period(calendar(), "2026-11-20", "2026-11-20", "")
    assert period.midnights == [
        datetime(2026, 11, 19, 21, tzinfo=UTC),
        datetime(2026, 11, 20, 21, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Moscow", "2026-03-29", 24),
        # Clocks are set at midnight itself.
        ("America/Santiago", "2026-09-06", 23),
        ("America/Havana", "2026-11-01", 25),
    ],
)
def test_days_are_as_long_as_clocks_make_them(timezone: str, day: str, hours: int) -> None:
    begins, ends = choose_period(calendar(timezone), day, day, "").midnights
    assert ends - begins == timedelta(hours=hours)


def test_midnights_rise_over_a_whole_year() -> None:
    midnights = choose_period(calendar("America/Santiago"), "2026-01-01", "2026-12-31", "").midnights
    assert midnights == sorted(set(midnights))
    assert len(midnights) == 366


@pytest.mark.parametrize(
    ("from_text", "to_text", "fault"),
    [
        ("2026-11-10", "2026-11-09", "to before_from"),
        ("2025-01-01", "2026-11-01", "to too_long"),
        ("yesterday", "", "from not_a_date"),
        ("2026-02-30", "", "from not_a_date"),
        ("20261101", "", "from not_a_date"),
        ("2026-W10-1", "", "from not_a_date"),
        ("٢٠٢٦-11-01", "", "from not_a_date"),
        ("2026-11-01'--", "", "from not_a_date"),
        ("", "9999-12-31", "to out_of_range"),
        ("0001-01-01", "0001-01-02", "to out_of_range"),
        ("1999-12-31", "", "from out_of_range"),
        ("2027-11-24", "", "from out_of_range"),
    ],
)
def test_what_is_no_period_is_refused(from_text: str, to_text: str, fault: str) -> None:
    assert fault_of(from_text, to_text) == fault


def test_unknown_preset_is_refused() -> None:
    assert fault_of("", "", "century") == "preset unknown"


def test_the_longest_period_is_taken_and_one_day_more_is_not() -> None:
    longest = choose_period(calendar(), "2025-10-19", "2026-11-22", "")
    assert len(longest.days) == DAYS_LIMIT
    assert fault_of("2025-10-18", "2026-11-22") == "to too_long"
