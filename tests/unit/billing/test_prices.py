"""Which version of a price counts when, where a new one may begin, and whom it reaches."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.prices import (
    DAYS_AHEAD_LIMIT,
    Ending,
    PriceVersion,
    Renewals,
    decide_effective_from,
    decide_version,
    find_in_force,
    foresee_renewals,
)
from kit.errors import Refused

MOSCOW = "Europe/Moscow"
NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)  # in Moscow the 22nd has begun
OLD = PriceVersion(1, 100_000, datetime(2026, 1, 1, tzinfo=UTC))
NEXT = PriceVersion(2, 120_000, datetime(2026, 12, 1, tzinfo=UTC))


def instant(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def test_version_that_began_last_is_in_force() -> None:
    versions = [NEXT, OLD]
    assert find_in_force(versions, OLD.effective_from - timedelta(seconds=1)) is None
    assert find_in_force(versions, OLD.effective_from) == OLD
    assert find_in_force(versions, NEXT.effective_from - timedelta(microseconds=1)) == OLD
    assert find_in_force(versions, NEXT.effective_from) == NEXT


def test_version_set_later_for_an_earlier_day_does_not_outlive_the_one_after_it() -> None:
    between = PriceVersion(3, 90_000, instant(11, 1))
    assert find_in_force([OLD, NEXT, between], instant(11, 15)) == between
    assert find_in_force([OLD, NEXT, between], instant(12, 15)) == NEXT


def test_of_two_that_began_together_the_later_version_is_in_force() -> None:
    twin = PriceVersion(2, 110_000, OLD.effective_from)
    assert find_in_force([twin, OLD], NOW) == twin


def test_day_begins_on_the_studios_calendar() -> None:
    begins = decide_effective_from(date(2026, 12, 1), NOW, MOSCOW)
    assert begins == datetime(2026, 11, 30, 21, tzinfo=UTC)
    assert begins.tzinfo == UTC


def test_day_that_the_clocks_change_begins_once() -> None:
    spring = datetime(2026, 3, 1, tzinfo=UTC)
    assert decide_effective_from(date(2026, 3, 30), spring, "Europe/Berlin") == datetime(
        2026, 3, 29, 22, tzinfo=UTC
    )


@pytest.mark.parametrize("on", [None, date(2026, 11, 22)])
def test_today_means_at_once(on: date | None) -> None:
    assert decide_effective_from(on, NOW, MOSCOW) == NOW


def test_day_that_has_passed_there_is_refused_even_if_it_is_today_elsewhere() -> None:
    with pytest.raises(Refused) as past:
        decide_effective_from(date(2026, 11, 21), NOW, MOSCOW)
    assert (past.value.code, past.value.facts) == ("price_date_past", {"today": "2026-11-22"})
    assert decide_effective_from(date(2026, 11, 21), NOW, "UTC") == NOW


def test_price_is_not_set_years_ahead() -> None:
    last = date(2026, 11, 22) + timedelta(days=DAYS_AHEAD_LIMIT)
    assert decide_effective_from(last, NOW, MOSCOW) > NOW
    with pytest.raises(Refused):
        decide_effective_from(last + timedelta(days=1), NOW, MOSCOW)


def test_new_version_is_numbered_after_all_others() -> None:
    assert decide_version([], 1, NOW) == PriceVersion(1, 1, NOW)
    assert decide_version([NEXT, OLD], 90_000, instant(11, 30)) == PriceVersion(3, 90_000, instant(11, 30))


@pytest.mark.parametrize(
    ("amount_minor", "effective_from", "code"),
    [
        (90_000, NEXT.effective_from, "price_date_taken"),
        (100_000, instant(11, 30), "price_unchanged"),
        (120_000, instant(12, 2), "price_unchanged"),
    ],
)
def test_version_that_says_nothing_new_is_refused(
    amount_minor: int, effective_from: datetime, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        decide_version([OLD, NEXT], amount_minor, effective_from)
    assert refused.value.code == code


def reach(
    *endings: Ending, versions: tuple[PriceVersion, ...] = (OLD,), new: PriceVersion = NEXT
) -> Renewals:
    return foresee_renewals(endings, versions, new, "month", 1, MOSCOW)


def test_subscriptions_pay_the_new_price_from_their_first_period_that_begins_under_it() -> None:
    before, after = Ending(instant(11, 25), 3), Ending(instant(12, 10), 2)
    assert reach(before, after) == Renewals(5, instant(12, 10), 5 * 20_000)
    # The one that renews once more at the old price comes a month later.
    assert reach(before) == Renewals(3, instant(12, 25), 3 * 20_000)


def test_period_that_ends_as_the_price_begins_renews_at_it() -> None:
    assert reach(Ending(NEXT.effective_from, 1)).first_at == NEXT.effective_from


def test_subscription_that_renews_only_after_the_following_version_is_not_reached() -> None:
    short_lived = PriceVersion(3, 90_000, instant(11, 24))
    versions = (OLD, NEXT)
    within, later = Ending(instant(11, 26), 1), Ending(instant(12, 10), 7)
    assert reach(within, later, versions=versions, new=short_lived) == Renewals(1, instant(11, 26), -10_000)


def test_difference_is_to_what_would_have_been_paid_then() -> None:
    over_next = PriceVersion(3, 150_000, instant(12, 5))
    assert reach(Ending(instant(12, 10), 2), versions=(OLD, NEXT), new=over_next).difference_minor == 60_000


def test_nobody_to_reach_is_nobody() -> None:
    assert reach() == Renewals(0, None, 0)


def test_daily_periods_reach_the_furthest_day_that_a_price_may_be_set_for() -> None:
    far = PriceVersion(2, 1, NOW + timedelta(days=DAYS_AHEAD_LIMIT))
    assert foresee_renewals([Ending(NOW, 1)], [OLD], far, "day", 1, MOSCOW).first_at == far.effective_from
