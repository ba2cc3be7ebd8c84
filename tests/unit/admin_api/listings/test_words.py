import pytest

from admin_api.listings import LISTINGS
from admin_api.pages.words import WORDS
from billing.invoices import INVOICE
from billing.payments import PAYMENT
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from booking.rules.machine import BOOKING
from kit.machine import Machine


@pytest.mark.parametrize("name", LISTINGS)
def test_every_column_and_filter_has_its_word(name: str) -> None:
    listing = LISTINGS[name]
    assert f"listing.{name}" in WORDS
    for column in {*listing.columns, *listing.view.model_fields}:
        assert {f"column.{column}", f"column.{name}.{column}"} & WORDS.keys(), column
    for one in listing.filters:
        assert {f"column.{one.name}", f"filter.{one.name}"} & WORDS.keys(), one.name


@pytest.mark.parametrize(
    "machine", [BOOKING, INVOICE, PAYMENT, REFUND, SUBSCRIPTION], ids=lambda machine: machine.name
)
def test_every_state_has_its_word(machine: Machine) -> None:
    assert {f"state.{machine.name}.{state}" for state in machine.states} <= WORDS.keys()


def test_every_word_is_in_both_languages() -> None:
    assert all(russian and english for russian, english in WORDS.values())
