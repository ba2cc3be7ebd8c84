from datetime import UTC, date, datetime, timedelta

import pytest

from admin_api.bookings.days import DAYS_LIMIT, choose_days, monday_of
from admin_api.dashboards.periods import Calendar
from web.problems import Problem

# Half past midnight of the 22nd in Moscow.
CALENDAR = Calendar("Studio", "Europe/Moscow", "RUB", datetime(2026, 11, 21, 21, 30, tzinfo=UTC))


def test_today_is_the_studios_own() -> None:
    days = choose_days(CALENDAR, "", 1)
    assert days.dates == [date(2026, 11, 22)]
    assert days.window.starts_at == datetime(2026, 11, 21, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "count", "fault"),
    [
        ("2026-13-01", 1, "not_a_date"),
        ("20261101", 1, "not_a_date"),
        ("1999-12-31", 1, "out_of_range"),
        ("2099-01-01", 1, "out_of_range"),
        ("2026-11-21", 0, "out_of_range"),
        ("2026-11-21", DAYS_LIMIT + 1, "out_of_range"),
    ],
)
def test_days_that_cannot_be_are_refused(typed: str, count: int, fault: str) -> None:
    with pytest.raises(Problem) as caught:
        choose_days(CALENDAR, typed, count)
    assert caught.value.status == 422
    assert fault in str(caught.value.facts)


def test_longest_window_ends_where_its_last_day_does() -> None:
    days = choose_days(CALENDAR, "2026-11-01", DAYS_LIMIT)
    assert days.window.ends_at - days.window.starts_at == timedelta(days=DAYS_LIMIT)


@pytest.mark.parametrize("day", [date(2026, 11, 16), date(2026, 11, 21), date(2026, 11, 22)])
def test_week_begins_on_monday(day: date) -> None:
    assert monday_of(day) == date(2026, 11, 16)
