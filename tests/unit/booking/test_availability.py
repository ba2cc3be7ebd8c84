"""What is remembered of free time is what would be found now."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from booking.availability import Asked, reach_of, settled
from booking.rules.availability import free_spans
from booking.rules.calendar import HallRules, OpenHours, Span

MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)


@given(
    seconds=st.integers(0, 12 * 86_400) | st.sampled_from([0, 1, 59, 60, 3599, 3600, 3601]),
    notice_minutes=st.sampled_from([0, 15, 60, 1440]),
    horizon_days=st.integers(1, 12),
    window_days=st.integers(0, 10),
    minutes=st.sampled_from([None, 60, 120]),
)
def test_the_settled_question_has_the_same_answer(
    seconds: int, notice_minutes: int, horizon_days: int, window_days: int, minutes: int | None
) -> None:
    always = (OpenHours(frozenset(range(1, 8)), 0, 1440),)
    rules = HallRules("Europe/Moscow", always, 5, 60, 120, 0, 0, notice_minutes, horizon_days)
    starts_at = MONDAY + timedelta(days=window_days)
    asked = Asked(
        Span(starts_at, starts_at + timedelta(days=1)), minutes, MONDAY + timedelta(seconds=seconds)
    )
    reach = reach_of([rules], asked)
    assert free_spans(rules, [], reach, settled(rules, asked).now) == free_spans(rules, [], reach, asked.now)


def test_within_a_minute_and_far_ahead_the_question_is_one() -> None:
    always = (OpenHours(frozenset(range(1, 8)), 0, 1440),)
    rules = HallRules("Europe/Moscow", always, 15, 60, 120, 0, 0, 60, 30)
    today = [
        settled(rules, Asked(Span(MONDAY, MONDAY + timedelta(days=1)), None, MONDAY + timedelta(seconds=at)))
        for at in (1, 59)
    ]
    assert today[0] == today[1]
    later = Span(MONDAY + timedelta(days=7), MONDAY + timedelta(days=8))
    ahead = [settled(rules, Asked(later, None, MONDAY + timedelta(hours=hours))) for hours in (1, 100)]
    assert ahead[0] == ahead[1]
