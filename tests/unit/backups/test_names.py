"""What a backup is called, and which ones go."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.names import Keep, choose_expired, find_taken_at, name_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEVEN_FOUR_TWELVE = Keep(7, 4, 12)

moments = st.integers(0, 5_000 * 86_400).map(lambda seconds: NOON - timedelta(seconds=seconds))
many = st.lists(moments, unique=True, max_size=60)
keeps = st.builds(Keep, st.integers(1, 10), st.integers(0, 6), st.integers(0, 14))


@given(moments)
def test_name_says_when_the_backup_was_taken(at: datetime) -> None:
    assert find_taken_at(name_of(at)) == at


def test_name_is_in_utc_whatever_the_clock_is_set_to() -> None:
    assert name_of(NOON.astimezone(timezone(timedelta(hours=3)))) == "billbus-20261121T120000Z"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lock",
        "billbus-20261121",
        "billbus-20261121T120000Z.old",
        "my-billbus-20261121T120000Z",
        "billbus-20261341T120000Z",
        "billbus-２０２６1121T120000Z",
        ".billbus-20261121T120000Z.partial",
    ],
)
def test_other_names_are_no_backups_and_never_go(name: str) -> None:
    assert find_taken_at(name) is None
    assert choose_expired([name], SEVEN_FOUR_TWELVE) == []


@given(many, keeps)
def test_newest_never_goes(taken: list[datetime], keep: Keep) -> None:
    expired = choose_expired(map(name_of, taken), keep)
    assert not taken or name_of(max(taken)) not in expired


@given(many, keeps)
def test_newest_of_each_kept_day_week_and_month_stay_and_no_others(taken: list[datetime], keep: Keep) -> None:
    """The plain way: walk back from the newest and keep the first of each period until there are enough."""
    kept = set()
    for form, count in (("%Y-%m-%d", keep.daily), ("%G-%V", keep.weekly), ("%Y-%m", keep.monthly)):
        seen: list[str] = []
        for at in sorted(taken, reverse=True):
            if f"{at:{form}}" not in seen and len(seen) < count:
                seen.append(f"{at:{form}}")
                kept.add(at)
    left = set(map(name_of, taken)) - set(choose_expired(map(name_of, taken), keep))
    assert left == set(map(name_of, kept))


@given(many, keeps)
def test_what_stays_stays_when_asked_again(taken: list[datetime], keep: Keep) -> None:
    names = [name_of(at) for at in taken]
    expired = choose_expired(names, keep)
    left = [name for name in names if name not in expired]
    assert choose_expired(left, keep) == []


@given(many)
def test_order_of_the_directory_does_not_matter(taken: list[datetime]) -> None:
    names = [name_of(at) for at in taken]
    assert choose_expired(names, SEVEN_FOUR_TWELVE) == choose_expired(names[::-1], SEVEN_FOUR_TWELVE)


def test_a_year_of_nightly_backups_leaves_a_week_a_month_and_a_year() -> None:
    nightly = {name_of(NOON - timedelta(days=day)) for day in range(400)}
    left = sorted(nightly - set(choose_expired(nightly, SEVEN_FOUR_TWELVE)))
    # Of the four weeks two end before the seven days, of the twelve months eleven.
    assert left[-7:] == [name_of(NOON - timedelta(days=day)) for day in range(6, -1, -1)]
    assert left[0] == "billbus-20251231T120000Z"
    assert len(left) == 7 + 2 + 11


def test_days_without_a_backup_use_up_no_old_one() -> None:
    """A job that stands still for months leaves what there was."""
    old = [name_of(NOON - timedelta(days=200 + day)) for day in range(7)]
    assert choose_expired([*old, name_of(NOON)], Keep(8, 0, 0)) == []
