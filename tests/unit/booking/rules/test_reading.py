"""Rules that a studio wrote down are read whole, or refused by the rule and the field that is wrong."""

from datetime import date

import pytest

from booking.rules.calendar import HOURS_LIMIT, OpenHours, read_hours
from booking.rules.prices import RATES_LIMIT, TIERS_LIMIT, DurationTier, Rate, read_rates, read_tiers

HOURS = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "09:00", "closes": "18:00"}
RATE = {"name": "Evening", "weekdays": [5], "starts": "18:00", "ends": "24:00", "per_hour_minor": 1}


def test_hours_are_read_with_their_season() -> None:
    assert read_hours(
        [
            {"weekdays": [1, 7], "opens": "10:00", "closes": "24:00"},
            {
                "weekdays": [3],
                "opens": "00:00",
                "closes": "09:05",
                "from": "2026-06-01",
                "until": "2026-08-31",
            },
        ]
    ) == (
        OpenHours(frozenset({1, 7}), 600, 1440),
        OpenHours(frozenset({3}), 0, 545, date(2026, 6, 1), date(2026, 8, 31)),
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weekdays": []}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": [0]}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": [8]}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": [1, 1]}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": [True]}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": "12"}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": [{}]}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"weekdays": None}, "hours[1].weekdays: expected different days from 1 (Monday) to 7 (Sunday)"),
        ({"opens": "9:00"}, "hours[1].opens: expected HH:MM"),
        ({"opens": "25:00"}, "hours[1].opens: expected HH:MM"),
        ({"opens": "09:60"}, "hours[1].opens: expected HH:MM"),
        ({"opens": "09:00\n"}, "hours[1].opens: expected HH:MM"),
        ({"opens": "٠٩:٠٠"}, "hours[1].opens: expected HH:MM"),
        ({"opens": 540}, "hours[1].opens: expected HH:MM"),
        ({"closes": "24:01"}, "hours[1].closes: expected HH:MM"),
        ({"closes": "09:00"}, "hours[1].closes: expected a time after opens"),
        ({"closes": "02:00"}, "hours[1].closes: expected a time after opens"),
        ({"from": "2026-02-30"}, "hours[1].from: expected YYYY-MM-DD"),
        ({"from": "20260201"}, "hours[1].from: expected YYYY-MM-DD"),
        ({"until": 2026}, "hours[1].until: expected YYYY-MM-DD"),
        ({"from": "2026-06-02", "until": "2026-06-01"}, "hours[1].until: expected a date not before from"),
        ({"untill": "2026-06-01"}, "hours[1].untill: unknown field"),
    ],
)
def test_hours_that_make_no_sense_are_refused_by_rule_and_field(
    changed: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared whole below
        read_hours([HOURS, {**HOURS, **changed}])
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (None, "hours: expected a list"),
        ({"weekdays": [1]}, "hours: expected a list"),
        ("[]", "hours: expected a list"),
        ([None], "hours[0]: expected an object"),
        ([HOURS] * (HOURS_LIMIT + 1), f"hours: expected at most {HOURS_LIMIT}"),
    ],
)
def test_hours_that_are_no_list_of_rules_are_refused(rules: object, words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared whole below
        read_hours(rules)
    assert str(refused.value) == words


def test_rates_are_read_in_their_order() -> None:
    assert read_rates(
        [
            {
                "name": " Evening ",
                "weekdays": [5, 6],
                "starts": "18:00",
                "ends": "24:00",
                "per_hour_minor": 250_000,
            },
            {
                "name": "Summer",
                "weekdays": [1],
                "starts": "00:00",
                "ends": "12:30",
                "from": "2026-06-01",
                "until": "2026-06-01",
                "per_hour_minor": 1,
            },
        ]
    ) == (
        Rate("Evening", frozenset({5, 6}), 1080, 1440, None, None, 250_000),
        Rate("Summer", frozenset({1}), 0, 750, date(2026, 6, 1), date(2026, 6, 1), 1),
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": " "}, "rates[1].name: expected a text of 1 to 60 characters"),
        ({"name": "x" * 61}, "rates[1].name: expected a text of 1 to 60 characters"),
        ({"name": "a\nb"}, "rates[1].name: expected a text of 1 to 60 characters"),
        ({"name": 1}, "rates[1].name: expected a text of 1 to 60 characters"),
        ({"per_hour_minor": 0}, "rates[1].per_hour_minor: expected a whole number from 1 to 1000000000000"),
        ({"per_hour_minor": 1.5}, "rates[1].per_hour_minor: expected a whole number from 1 to 1000000000000"),
        ({"per_hour_minor": "9"}, "rates[1].per_hour_minor: expected a whole number from 1 to 1000000000000"),
        (
            {"per_hour_minor": True},
            "rates[1].per_hour_minor: expected a whole number from 1 to 1000000000000",
        ),
        (
            {"per_hour_minor": 10**13},
            "rates[1].per_hour_minor: expected a whole number from 1 to 1000000000000",
        ),
        ({"ends": "18:00"}, "rates[1].ends: expected a time after starts"),
        ({"per_hour": 1}, "rates[1].per_hour: unknown field"),
    ],
)
def test_rates_that_make_no_sense_are_refused_by_rule_and_field(
    changed: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared whole below
        read_rates([RATE, {**RATE, **changed}])
    assert str(refused.value) == words


def test_too_many_rates_are_refused() -> None:
    assert len(read_rates([RATE] * RATES_LIMIT)) == RATES_LIMIT
    with pytest.raises(ValueError, match="rates: expected at most 20"):
        read_rates([RATE] * (RATES_LIMIT + 1))


def test_tiers_are_read_the_longest_first() -> None:
    tiers = [{"minutes_from": 120, "percent_off": 5}, {"minutes_from": 240, "percent_off": 90}]
    assert read_tiers(tiers) == (DurationTier(240, 90), DurationTier(120, 5))


@pytest.mark.parametrize(
    ("tiers", "words"),
    [
        (
            [{"minutes_from": 0, "percent_off": 5}],
            "duration_tiers[0].minutes_from: expected a whole number from 1 to 1440",
        ),
        (
            [{"minutes_from": 60, "percent_off": 0}],
            "duration_tiers[0].percent_off: expected a whole number from 1 to 90",
        ),
        (
            [{"minutes_from": 60, "percent_off": 91}],
            "duration_tiers[0].percent_off: expected a whole number from 1 to 90",
        ),
        ([{"minutes_from": 60}], "duration_tiers[0].percent_off: expected a whole number from 1 to 90"),
        (
            [{"minutes_from": 60, "percent_off": 5}] * 2,
            "duration_tiers[1].minutes_from: expected a different length in each tier",
        ),
        ([{}] * (TIERS_LIMIT + 1), "duration_tiers: expected at most 10"),
        (None, "duration_tiers: expected a list"),
    ],
)
def test_tiers_that_make_no_sense_are_refused_by_rule_and_field(tiers: object, words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared whole below
        read_tiers(tiers)
    assert str(refused.value) == words
