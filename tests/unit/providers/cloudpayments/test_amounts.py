from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.cloudpayments.amounts import UnreadableAmount, decimal_from_minor, minor_from_text


@given(st.integers(min_value=1, max_value=10**14 - 1))
def test_every_sum_survives_the_way_out_and_back(amount_minor: int) -> None:
    assert minor_from_text(str(decimal_from_minor(amount_minor, "RUB"))) == amount_minor


def test_sums_are_written_with_two_decimals() -> None:
    assert [str(decimal_from_minor(sum_, "RUB")) for sum_ in (1, 10, 149_000)] == ["0.01", "0.10", "1490.00"]


@pytest.mark.parametrize(("amount_minor", "currency"), [(0, "RUB"), (-1, "RUB"), (100, "JPY"), (100, "rub")])
def test_what_has_no_two_decimal_form_is_refused(amount_minor: int, currency: str) -> None:
    with pytest.raises(UnreadableAmount):
        decimal_from_minor(amount_minor, currency)


def test_a_decimal_keeps_its_digits() -> None:
    assert decimal_from_minor(10**14 - 1, "RUB") == Decimal("999999999999.99")
