"""What a cancellation and a move do to a booking's money, to the minor unit."""

import random
from itertools import product

import pytest

from booking.rules.money import BookingMoney, check_move_by_customer, to_charge, to_give_back
from kit.errors import Refused


@pytest.mark.parametrize(
    ("total", "paid", "returned", "percent", "expected"),
    [
        (10_000, 10_000, 0, 100, 10_000),
        (10_000, 10_000, 0, 50, 5_000),
        (10_000, 10_000, 0, 0, 0),
        # Half of 101 kept is 50.5, rounded up to 51.
        (101, 101, 0, 50, 50),
        (1, 1, 0, 50, 0),
        (1, 1, 0, 51, 1),
        # What went back before counts.
        (10_000, 10_000, 3_000, 50, 2_000),
        (10_000, 10_000, 5_000, 50, 0),
        (10_000, 10_000, 7_000, 50, 0),
        (0, 0, 0, 100, 0),
        # Moved to a cheaper time, the difference went back: half of what it costs now is kept.
        (7_000, 10_000, 3_000, 50, 3_500),
        (7_000, 10_000, 3_000, 100, 7_000),
        # Moved to a dearer time, the difference is not paid yet.
        (15_000, 10_000, 0, 50, 5_000),
    ],
)
def test_what_is_paid_and_not_kept_nor_returned_goes_back(
    total: int, paid: int, returned: int, percent: int, expected: int
) -> None:
    assert to_give_back(BookingMoney(total, paid, returned, 0), percent) == expected


def test_what_is_kept_is_rounded_half_up_and_nothing_is_lost_or_made() -> None:
    for paid, percent in product(range(203), range(101)):
        given = to_give_back(BookingMoney(paid, paid, 0, 0), percent)
        kept = paid - given
        assert 0 <= given <= paid
        # Within half a unit of exact, and never half a unit less.
        assert -50 < kept * 100 - paid * (100 - percent) <= 50


@pytest.mark.parametrize(
    ("total", "paid", "returned", "unpaid", "new_total", "expected"),
    [
        (10_000, 10_000, 0, 0, 10_000, 0),
        (10_000, 10_000, 0, 0, 12_000, 2_000),
        (10_000, 10_000, 0, 0, 7_000, -3_000),
        # What went back by an earlier move was more than that time cost: it covers nothing now.
        (7_000, 10_000, 3_000, 0, 10_000, 3_000),
        # A surcharge that is still open is taken back with the invoice that it was on.
        (12_000, 10_000, 0, 2_000, 15_000, 5_000),
        (12_000, 10_000, 0, 2_000, 9_000, -1_000),
        # One that expired unpaid is still owed.
        (12_000, 10_000, 0, 0, 15_000, 5_000),
        # Nobody has paid what is paid on site: it is not charged by invoice, and nothing goes back.
        (10_000, 0, 0, 0, 12_000, 12_000),
    ],
)
def test_a_move_charges_what_the_new_time_costs_beyond_what_is_covered(
    total: int, paid: int, returned: int, unpaid: int, new_total: int, expected: int
) -> None:
    assert to_charge(BookingMoney(total, paid, returned, unpaid), new_total) == expected


def test_what_went_back_for_a_move_pays_for_nothing_any_more() -> None:
    """To 60 of 100, back to 100, whose surcharge nobody paid."""
    money = BookingMoney(10_000, 10_000, 4_000, 0, moved_back_minor=4_000)
    assert to_charge(money, 6_000) == 0
    assert to_charge(money, 10_000) == 4_000
    assert to_give_back(money, 100) == 6_000
    assert to_give_back(money, 50) == 3_000


def test_what_goes_back_twice_leaves_nothing_and_not_less() -> None:
    """A refund that is out, and one in the provider's cabinet."""
    money = BookingMoney(10_000, 10_000, 20_000, 0)
    assert (money.left_minor, to_give_back(money, 100)) == (0, 0)


PAID = BookingMoney(10_000, 10_000, 3_000, 0)


@pytest.mark.parametrize(("missing", "percent"), [(0, 0), (1, 0), (-1, 100), (7_000, 100)])
def test_a_customer_moves_where_nothing_is_saved_that_canceling_would_cost(
    missing: int, percent: int
) -> None:
    check_move_by_customer(PAID, missing, percent)


@pytest.mark.parametrize("percent", [0, 99])
def test_a_customer_does_not_move_away_from_what_canceling_would_cost(percent: int) -> None:
    with pytest.raises(Refused, match="too_late_to_pay_less") as refused:
        check_move_by_customer(PAID, -1, percent)
    assert refused.value.facts == {"refund_percent": percent}


@pytest.mark.parametrize(
    ("money", "missing"),
    [(PAID, 7_001), (BookingMoney(1_000, 1_000, 0, 0), 5_000_000), (BookingMoney(1, 1, 1, 0), 1)],
)
def test_a_customer_does_not_move_to_where_more_is_missing_than_is_left_of_what_is_paid(
    money: BookingMoney, missing: int
) -> None:
    with pytest.raises(Refused, match="surcharge_too_large") as refused:
        check_move_by_customer(money, missing, 100)
    assert refused.value.facts == {"surcharge_minor": missing, "paid_minor": money.left_minor}


@pytest.mark.parametrize("seed", range(300))
def test_however_often_a_booking_moves_what_it_cost_stays_paid(seed: int) -> None:
    """Surcharges are paid, left open, or never paid; never is less left than the cheapest time cost."""
    chance = random.Random(seed)
    total = paid = least = chance.randint(1, 1_000)
    moved_back = unpaid = 0
    for _ in range(12):
        money = BookingMoney(total, paid, moved_back, unpaid, moved_back)
        total = chance.randint(1, 1_000)
        missing = to_charge(money, total)
        moved_back += min(max(0, -missing), money.left_minor)
        unpaid, is_paid = max(0, missing), chance.random() < 0.5
        if is_paid:
            paid, unpaid = paid + unpaid, 0
            assert paid - moved_back == total
        elif chance.random() < 0.5:
            unpaid = 0  # expired, or waived
        least = min(least, total)
        assert least <= paid - moved_back <= total
        assert to_give_back(BookingMoney(total, paid, moved_back, unpaid, moved_back), 100) == (
            paid - moved_back
        )
