"""What can be booked, and by what word the rest is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from booking.rules.availability import (
    NEAREST_WITHIN,
    check_slot,
    free_spans,
    nearest_free,
    nearest_window,
    starts_in,
    taken_window,
)
from booking.rules.calendar import HallRules, OpenHours, Span
from kit.errors import Refused

EVERY_DAY = frozenset(range(1, 8))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HALL = HallRules(
    timezone="UTC",
    hours=(OpenHours(EVERY_DAY, 9 * 60, 21 * 60),),
    step_minutes=15,
    minutes_min=60,
    minutes_max=240,
    buffer_before_minutes=0,
    buffer_after_minutes=0,
    notice_minutes=0,
    horizon_days=90,
)
BUFFERED = replace(HALL, buffer_before_minutes=15, buffer_after_minutes=30)


def _at(text: str) -> datetime:
    """An hour of the day that most stories play on, or any instant, in UTC."""
    return datetime.fromisoformat(f"{text}+00:00" if "T" in text else f"2026-11-21T{text}+00:00")


def _span(starts: str, ends: str) -> Span:
    return Span(_at(starts), _at(ends))


DAY = _span("00:00", "2026-11-22T00:00")


def _free(rules: HallRules, *taken: Span, window: Span = DAY, now: datetime = NOW) -> list[Span]:
    return free_spans(rules, taken, window, now)


def _refusal(rules: HallRules, slot: Span, *taken: Span, now: datetime = NOW) -> str | None:
    try:
        check_slot(rules, taken, slot, now)
    except Refused as refused:
        return refused.code
    return None


def test_an_empty_hall_is_free_in_its_hours() -> None:
    assert _free(HALL) == [_span("09:00", "21:00")]


def test_what_is_taken_cuts_free_time() -> None:
    taken = [_span("14:00", "15:00"), _span("10:00", "12:00")]
    assert _free(HALL, *taken) == [
        _span("09:00", "10:00"),
        _span("12:00", "14:00"),
        _span("15:00", "21:00"),
    ]


def test_a_gap_just_long_enough_is_free_and_a_shorter_one_is_not() -> None:
    taken = [_span("09:00", "12:00"), _span("13:00", "14:00"), _span("14:45", "21:00")]
    assert _free(HALL, *taken) == [_span("12:00", "13:00")]


def test_what_is_taken_off_the_grid_leaves_free_time_on_it() -> None:
    assert _free(HALL, _span("12:05", "13:50:01")) == [_span("09:00", "12:00"), _span("14:00", "21:00")]


def test_taken_times_that_overlap_are_taken_once() -> None:
    taken = [_span("10:00", "16:00"), _span("11:00", "12:00"), _span("15:00", "17:00")]
    assert _free(HALL, *taken) == [_span("09:00", "10:00"), _span("17:00", "21:00")]


def test_a_hall_taken_for_days_is_not_free() -> None:
    assert _free(HALL, _span("2026-11-01T00:00", "2026-12-01T00:00")) == []


def test_buffers_are_kept_from_what_is_taken() -> None:
    assert _free(BUFFERED, _span("12:00", "14:00")) == [_span("09:00", "11:30"), _span("14:15", "21:00")]


def test_buffers_may_lie_outside_the_hours() -> None:
    assert _free(BUFFERED, _span("21:30", "23:00"), _span("08:00", "08:45")) == [_span("09:00", "21:00")]
    assert _free(BUFFERED, _span("21:15", "23:00")) == [_span("09:00", "20:45")]


def test_what_is_taken_beyond_the_window_keeps_its_buffers_within() -> None:
    taken, window = _span("12:00", "13:00"), _span("09:00", "12:00")
    assert _free(BUFFERED, taken, window=window) == [_span("09:00", "11:30")]
    assert taken.starts_at < taken_window(window).ends_at


def test_free_time_ends_with_the_window_on_the_grid() -> None:
    assert _free(HALL, window=_span("10:10", "12:40")) == [_span("10:15", "12:30")]
    assert _free(HALL, window=_span("10:10", "11:10")) == []


def test_a_start_must_be_after_now_by_the_notice() -> None:
    assert _free(HALL, now=_at("12:00")) == [_span("12:15", "21:00")]
    assert _free(HALL, now=_at("11:59:59")) == [_span("12:00", "21:00")]
    noticed = replace(HALL, notice_minutes=60)
    assert _free(noticed, now=_at("12:00")) == [_span("13:00", "21:00")]
    assert _free(noticed, now=_at("12:00:01")) == [_span("13:15", "21:00")]


def test_an_end_must_be_within_the_horizon() -> None:
    near = replace(HALL, horizon_days=1)
    assert _free(near, now=_at("2026-11-20T12:00")) == [_span("09:00", "12:00")]
    assert _free(near, now=_at("2026-11-20T11:59:59")) == [_span("09:00", "11:45")]


def test_a_night_is_free_across_midnight() -> None:
    always = replace(HALL, hours=(OpenHours(EVERY_DAY, 0, 1440),))
    night = _span("23:00", "2026-11-22T02:00")
    assert _free(always, window=night) == [night]
    assert _refusal(always, night) is None


def test_an_hour_that_is_there_twice_is_two_different_slots() -> None:
    berlin = replace(HALL, timezone="Europe/Berlin", hours=(OpenHours(EVERY_DAY, 120, 180),))
    first, second = (
        _span("2026-10-25T00:00", "2026-10-25T01:00"),
        _span("2026-10-25T01:00", "2026-10-25T02:00"),
    )
    now = _at("2026-10-24T00:00")
    window = _span("2026-10-25T00:00", "2026-10-26T00:00")
    assert _free(berlin, window=window, now=now) == [Span(first.starts_at, second.ends_at)]
    assert _free(berlin, first, window=window, now=now) == [second]
    assert _refusal(berlin, second, first, now=now) is None
    assert _refusal(berlin, first, first, now=now) == "slot_taken"


def test_two_hours_of_the_clock_are_one_where_an_hour_is_skipped() -> None:
    berlin = replace(HALL, timezone="Europe/Berlin", hours=(OpenHours(EVERY_DAY, 60, 240),))
    now = _at("2026-03-28T00:00")
    # 01:00 to 04:00 by the clock.
    assert _refusal(berlin, _span("2026-03-29T00:00", "2026-03-29T02:00"), now=now) is None
    assert _refusal(berlin, _span("2026-03-29T00:00", "2026-03-29T03:00"), now=now) == "outside_hours"


def test_no_slot_lies_across_a_change_that_moves_the_grid() -> None:
    """At 02:00 it is 02:30 already: hours by the clock begin at 16:30 UTC after, at half past before as
    well."""
    hourly = replace(
        HALL,
        timezone="Australia/Lord_Howe",
        hours=(OpenHours(EVERY_DAY, 0, 1440),),
        step_minutes=60,
    )
    window, now = _span("2026-10-03T12:00", "2026-10-03T18:00"), _at("2026-10-03T00:00")
    assert _free(hourly, window=window, now=now) == [
        _span("2026-10-03T12:30", "2026-10-03T15:30"),
        _span("2026-10-03T16:00", "2026-10-03T18:00"),
    ]
    assert _refusal(hourly, _span("2026-10-03T14:30", "2026-10-03T16:30"), now=now) == "off_grid"
    assert _refusal(hourly, _span("2026-10-03T14:30", "2026-10-03T16:00"), now=now) == "off_grid"
    assert _refusal(hourly, _span("2026-10-03T14:30", "2026-10-03T15:30"), now=now) is None
    halved = replace(hourly, step_minutes=30)
    assert _refusal(halved, _span("2026-10-03T14:30", "2026-10-03T16:30"), now=now) is None


@pytest.mark.parametrize(
    ("starts", "ends", "code"),
    [
        ("10:00", "11:00", None),
        ("20:00", "21:00", None),
        ("10:05", "11:05", "off_grid"),
        ("10:00", "11:05", "off_grid"),
        ("10:00:30", "11:00:30", "off_grid"),
        ("10:00:00.000001", "11:00", "off_grid"),
        ("10:00", "10:45", "too_short"),
        ("10:00", "10:00", "too_short"),
        ("11:00", "10:00", "too_short"),
        ("10:00", "14:15", "too_long"),
        ("10:00", "2027-11-21T10:00", "too_long"),
        ("2026-11-20T12:00", "2026-11-20T13:00", "slot_in_the_past"),
        ("2026-11-20T09:00", "2026-11-20T10:00", "slot_in_the_past"),
        ("2026-11-20T12:15", "2026-11-20T13:15", None),
        ("2027-02-18T11:00", "2027-02-18T12:00", None),
        ("2027-02-18T11:15", "2027-02-18T12:15", "too_far"),
        ("08:45", "09:45", "outside_hours"),
        ("20:15", "21:15", "outside_hours"),
        ("15:00", "16:00", "slot_taken"),
        ("14:00", "16:00", "slot_taken"),
        ("17:00", "18:00", None),
        ("0001-01-01T00:00", "0001-01-01T01:00", "slot_in_the_past"),
        ("9999-12-31T22:00", "9999-12-31T23:00", "too_far"),
    ],
)
def test_a_slot_is_refused_by_the_first_rule_that_it_breaks(starts: str, ends: str, code: str | None) -> None:
    assert _refusal(HALL, _span(starts, ends), _span("15:00", "17:00")) == code


def test_notice_is_refused_by_its_own_word() -> None:
    noticed = replace(HALL, notice_minutes=120)
    assert _refusal(noticed, _span("13:00", "14:00"), now=_at("11:00:01")) == "too_soon"
    assert _refusal(noticed, _span("13:00", "14:00"), now=_at("11:00")) is None
    assert _refusal(noticed, _span("13:00", "14:00"), now=_at("13:00")) == "slot_in_the_past"


def test_an_instant_that_the_studios_clock_cannot_show_is_refused() -> None:
    ahead = replace(HALL, timezone="Asia/Kolkata")
    assert _refusal(ahead, _span("9999-12-31T22:00", "9999-12-31T23:00")) == "off_grid"
    behind = replace(HALL, timezone="America/Sao_Paulo")
    assert _refusal(behind, _span("0001-01-01T00:00", "0001-01-01T01:00")) == "off_grid"


def test_a_refusal_says_what_would_do() -> None:
    with pytest.raises(Refused) as refused:
        check_slot(HALL, [], _span("10:00", "10:15"), NOW)
    assert refused.value.facts == {"minutes_min": 60}


def test_starts_are_every_step_that_leaves_room_for_the_length() -> None:
    free = [_span("10:00", "11:15"), _span("12:00", "13:00")]
    assert starts_in(HALL, free, 60) == [_at("10:00"), _at("10:15"), _at("12:00")]


@pytest.mark.parametrize("minutes", [0, -60, 45, 65, 255])
def test_a_length_that_the_hall_is_not_booked_for_starts_nowhere(minutes: int) -> None:
    assert starts_in(HALL, [_span("09:00", "21:00")], minutes) == []


def test_the_nearest_free_slots_come_in_order_of_nearness() -> None:
    taken = [_span("12:00", "14:00"), _span("15:00", "21:00")]
    assert nearest_free(HALL, taken, _span("12:00", "13:00"), NOW, 3) == [
        _span("11:00", "12:00"),
        _span("10:45", "11:45"),
        _span("10:30", "11:30"),
    ]
    # Two that are as near: the earlier first.
    assert nearest_free(HALL, [_span("13:00", "14:00")], _span("13:00", "14:00"), NOW, 2) == [
        _span("12:00", "13:00"),
        _span("14:00", "15:00"),
    ]


def test_the_nearest_free_slot_may_be_on_another_day_but_not_beyond_a_week() -> None:
    slot = _span("12:00", "13:00")
    until_monday = _span("2026-11-20T00:00", "2026-11-23T00:00")
    assert nearest_free(HALL, [until_monday], slot, NOW, 1) == [_span("2026-11-23T09:00", "2026-11-23T10:00")]
    assert nearest_free(HALL, [nearest_window(slot)], slot, NOW, 1) == []
    assert nearest_window(slot).ends_at - slot.ends_at == NEAREST_WITHIN == timedelta(days=7)


def test_nothing_is_near_a_slot_of_a_length_that_is_not_sold() -> None:
    assert nearest_free(HALL, [], _span("12:00", "12:30"), NOW, 3) == []
