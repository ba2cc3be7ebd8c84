"""Reminders are due by day, on the clock of the studio."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cron.reminder import decide_hour

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("hour", "minute", "wanted"),
    [
        (0, 0, (1, 10, 0)),
        (9, 59, (1, 10, 0)),
        (10, 0, (1, 10, 0)),
        (19, 59, (1, 19, 59)),
        (20, 0, (2, 10, 0)),
        (23, 59, (2, 10, 0)),
    ],
)
def test_night_waits_for_ten_o_clock(hour: int, minute: int, wanted: tuple[int, int, int]) -> None:
    due = decide_hour(datetime(2026, 3, 1, hour, minute, tzinfo=MOSCOW), "Europe/Moscow").astimezone(MOSCOW)
    assert (due.day, due.hour, due.minute) == wanted


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Vladivostok", "America/St_Johns", "Pacific/Apia"]),
)
def test_it_is_always_soon_and_always_by_day(at: datetime, timezone: str) -> None:
    due = decide_hour(at, timezone)
    assert timedelta(0) <= due - at <= timedelta(hours=15)
    assert 10 <= due.astimezone(ZoneInfo(timezone)).hour < 20
    assert decide_hour(due, timezone) == due
