"""Schedules: crontab fields on one clock, also on the days when it is set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cron.schedule import Schedule, ScheduleInvalid, read_schedule

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def local(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)  # type: ignore[arg-type, misc]


def between(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """All due times after `start` until `end`, as `next` tells them."""
    found = []
    while (start := schedule.next(start)) <= end:
        found.append(start)
    return found


def test_a_due_time_has_come_at_its_very_second_and_is_not_the_next_one() -> None:
    schedule = Schedule("*/10 * * * *", "UTC")
    at = datetime(2026, 3, 1, 10, 20, tzinfo=UTC)
    for now in (at, at + timedelta(microseconds=1), at + timedelta(minutes=9, seconds=59)):
        assert schedule.latest(now) == at
        assert schedule.next(now) == at + timedelta(minutes=10)
    before = at - timedelta(microseconds=1)
    assert schedule.latest(before) == at - timedelta(minutes=10)
    assert schedule.next(before) == at


def test_the_hour_is_that_of_the_zone() -> None:
    schedule = Schedule("0 3 * * *", "Europe/Moscow")
    assert schedule.next(NOW) == datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


def test_an_hour_that_is_skipped_comes_right_after_the_gap() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Berlin")
    days = between(schedule, local(2026, 3, 28, 0), local(2026, 3, 30, 12))
    assert days == [local(2026, 3, 28, 2, 30), local(2026, 3, 29, 3), local(2026, 3, 30, 2, 30)]


def test_an_hour_that_is_repeated_comes_once() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Berlin")
    days = between(schedule, local(2026, 10, 24, 0), local(2026, 10, 26, 12))
    assert days == [local(2026, 10, 24, 2, 30), local(2026, 10, 25, 2, 30), local(2026, 10, 26, 2, 30)]


@pytest.mark.parametrize("day", [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)])
def test_minutes_come_at_their_distance_whatever_the_clock_does(day: datetime) -> None:
    found = between(Schedule("*/10 * * * *", "Europe/Berlin"), day, day + timedelta(days=2))
    assert found == [day + timedelta(minutes=10 * number) for number in range(1, 2 * 144 + 1)]


@pytest.mark.parametrize("fields", ["30 2 * * *", "30 1,2 * * *", "*/10 * * * *", "0 0 * * *"])
@pytest.mark.parametrize(
    ("timezone", "month", "day"),
    [("Europe/Berlin", 10, 25), ("America/Santiago", 4, 5), ("Australia/Lord_Howe", 4, 5)],
)
def test_what_has_come_does_not_go_back_when_clocks_do(
    fields: str, timezone: str, month: int, day: int
) -> None:
    schedule, noon_before = Schedule(fields, timezone), datetime(2026, month, day - 1, 12, tzinfo=UTC)
    found = [schedule.latest(noon_before + timedelta(minutes=7 * number)) for number in range(200)]
    assert found == sorted(found)


@given(
    st.sampled_from(["*/10 * * * *", "30 2 * * *", "0 3 * * 1", "15 */6 * * *", "0 0 1 * *", "59 1-3 * * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Europe/Moscow", "America/St_Johns", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_look_finds_what_was_to_come(fields: str, timezone: str, now: datetime) -> None:
    """`latest` and `next` tell one and the same series: nothing is due that was not announced, nor missed."""
    schedule = Schedule(fields, timezone)
    coming = schedule.next(now)
    assert schedule.latest(coming) == coming
    assert schedule.latest(now) <= now < coming
    last = schedule.latest(coming - timedelta(seconds=1))
    assert last == schedule.latest(now)


@pytest.mark.parametrize("fields", ["", "  "])
def test_an_empty_schedule_is_by_hand(fields: str) -> None:
    assert read_schedule("cron_backup", fields, "UTC", NOW) is None


@pytest.mark.parametrize(
    "fields", ["* * * *", "0 * * * * *", "a * * * *", "* 24 * * *", "0 0 31 2 *", "@daily"]
)
def test_what_is_no_crontab_is_told_by_the_name_of_its_setting(fields: str) -> None:
    with pytest.raises(ScheduleInvalid, match=r"^CRON_RENEWAL: "):
        read_schedule("cron_renewal", fields, "UTC", NOW)
