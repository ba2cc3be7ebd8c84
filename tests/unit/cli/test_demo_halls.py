"""The demo's halls are written in the words that the rules of booking read."""

import pytest

from booking.rules.calendar import read_hours
from booking.rules.prices import read_rates, read_tiers
from booking.rules.terms import read_terms
from cli.demo_halls import EXTRAS, HALLS, TERMS, DemoHall


@pytest.mark.parametrize("hall", HALLS, ids=lambda hall: hall.code)
def test_hours_rates_and_tiers_of_a_hall_can_be_read(hall: DemoHall) -> None:
    hours = read_hours(hall.hours)
    assert {day for one in hours for day in one.weekdays} == set(range(1, 8))
    assert len(read_rates(hall.rates)) == 2
    assert read_tiers(hall.duration_tiers)
    assert hall.minutes_min % hall.step_minutes == hall.minutes_max % hall.step_minutes == 0


def test_some_hall_keeps_hours_of_a_season_and_some_extra_is_of_one_hall() -> None:
    assert any(one.first_day for hall in HALLS for one in read_hours(hall.hours))
    assert {extra.hall_code for extra in EXTRAS} <= {None, *(hall.code for hall in HALLS)}


def test_terms_give_back_less_as_the_start_comes_nearer() -> None:
    percents = [tier.refund_percent for tier in read_terms(TERMS)]
    assert percents == sorted(percents, reverse=True)
