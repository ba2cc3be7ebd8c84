"""Which percent a cancellation gives back, to the second."""

from datetime import UTC, datetime, timedelta

import pytest

from booking.rules.terms import TERMS_LIMIT, Tier, read_terms, refund_percent

STARTS_AT = datetime(2026, 11, 21, 18, tzinfo=UTC)
TERMS = (Tier(48, 100), Tier(24, 50))


def test_terms_are_read_the_longest_first() -> None:
    assert read_terms(
        [{"hours_before": 24, "refund_percent": 50}, {"hours_before": 48, "refund_percent": 100}]
    ) == (Tier(48, 100), Tier(24, 50))
    assert read_terms([]) == ()


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "terms: expected a list"),
        ([1], "terms[0]: expected an object"),
        (
            [{"hours_before": -1, "refund_percent": 50}],
            "terms[0].hours_before: expected a whole number from 0 to 8760",
        ),
        (
            [{"hours_before": 8_761, "refund_percent": 50}],
            "terms[0].hours_before: expected a whole number from 0 to 8760",
        ),
        ([{"hours_before": 1}], "terms[0].refund_percent: expected a whole number from 0 to 100"),
        (
            [{"hours_before": 1, "refund_percent": 101}],
            "terms[0].refund_percent: expected a whole number from 0 to 100",
        ),
        (
            [{"hours_before": 1, "refund_percent": 5}, {"hours_before": 1, "refund_percent": 6}],
            "terms[1].hours_before: expected different hours in each tier",
        ),
        ([{"hours_before": 1, "refund_percent": 5, "percent": 5}], "terms[0].percent: unknown field"),
        ([{}] * (TERMS_LIMIT + 1), "terms: expected at most 10"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_rule_and_field(terms: object, words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared whole below
        read_terms(terms)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("before", "percent"),
    [
        (timedelta(days=30), 100),
        (timedelta(hours=48), 100),
        (timedelta(hours=48) - timedelta(microseconds=1), 50),
        (timedelta(hours=24), 50),
        (timedelta(hours=24) - timedelta(microseconds=1), 0),
        (timedelta(0), 0),
        (timedelta(hours=-1), 0),
    ],
)
def test_the_first_tier_whose_hours_are_left_applies(before: timedelta, percent: int) -> None:
    assert refund_percent(TERMS, STARTS_AT, STARTS_AT - before, 100) == percent


def test_a_tier_of_no_hours_gives_back_until_the_start_and_not_after() -> None:
    terms = (Tier(0, 30),)
    assert refund_percent(terms, STARTS_AT, STARTS_AT, 100) == 30
    assert refund_percent(terms, STARTS_AT, STARTS_AT + timedelta(microseconds=1), 100) == 0


def test_without_terms_nothing_goes_back() -> None:
    assert refund_percent((), STARTS_AT, STARTS_AT - timedelta(days=300), 100) == 0


def test_a_booking_that_was_moved_late_gives_no_more_back_than_it_did_then() -> None:
    long_before = STARTS_AT - timedelta(days=30)
    assert refund_percent(TERMS, STARTS_AT, long_before, percent_max=50) == 50
    assert refund_percent(TERMS, STARTS_AT, STARTS_AT, percent_max=50) == 0
