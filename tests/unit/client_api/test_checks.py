"""What a provider may take money for."""

from datetime import timedelta
from typing import Any

import pytest

from billing.invoices import INVOICE
from billing.payments import LIVE, PAYMENT
from client_api.checks import decide_check
from client_api.outcomes import reason_to_set_aside
from providers.port import CallbackKind, CheckAnswer
from tests.unit.client_api.attempts import NOW, attempt, check


def test_an_open_invoices_live_attempt_may_be_paid() -> None:
    assert decide_check(attempt(), check(), True, NOW) is CheckAnswer.ACCEPTED


@pytest.mark.parametrize("state", PAYMENT.states)
def test_only_live_attempts_may_be_paid(state: str) -> None:
    answer = decide_check(attempt(state=state), check(), True, NOW)
    assert (answer is CheckAnswer.ACCEPTED) == (state in LIVE)


@pytest.mark.parametrize("state", INVOICE.states)
def test_only_open_invoices_may_be_paid(state: str) -> None:
    answer = decide_check(attempt(invoice_state=state), check(), True, NOW)
    expected = {"open": CheckAnswer.ACCEPTED, "expired": CheckAnswer.EXPIRED}
    assert answer is expected.get(state, CheckAnswer.REFUSED)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"customer_reference": ""}, CheckAnswer.WRONG_CUSTOMER),
        ({"amount_minor": 148_999}, CheckAnswer.WRONG_AMOUNT),
        ({"amount_minor": 149_001}, CheckAnswer.WRONG_AMOUNT),
        ({"currency": "USD"}, CheckAnswer.WRONG_AMOUNT),
        ({"currency": None}, CheckAnswer.WRONG_AMOUNT),
        ({"is_test": False}, CheckAnswer.REFUSED),
    ],
)
def test_what_differs_from_the_attempt_is_refused(asked: dict[str, Any], answer: CheckAnswer) -> None:
    assert decide_check(attempt(), check(**asked), True, NOW) is answer


def test_an_unknown_order_is_refused() -> None:
    assert decide_check(None, check(), True, NOW) is CheckAnswer.WRONG_INVOICE


def test_the_last_moment_is_too_late() -> None:
    late = attempt(expires_at=NOW)
    assert decide_check(late, check(), True, NOW) is CheckAnswer.EXPIRED
    assert decide_check(late, check(), True, NOW - timedelta(seconds=1)) is CheckAnswer.ACCEPTED


def test_an_invoice_that_lacks_less_is_not_overpaid() -> None:
    assert decide_check(attempt(due_minor=1), check(), True, NOW) is CheckAnswer.WRONG_AMOUNT


@pytest.mark.parametrize(
    ("kind", "changed", "reason"),
    [
        (CallbackKind.PAY, {}, None),
        (CallbackKind.PAY, {"is_test": False}, "test_mode"),
        (CallbackKind.PAY, {"status": "Authorized"}, "unexpected_status"),
        (CallbackKind.FAIL, {"status": "Declined"}, None),
        (CallbackKind.FAIL, {"is_test": False}, "test_mode"),
        # A refund notification does not say whether it is a test.
        (CallbackKind.REFUND, {"is_test": False, "status": ""}, None),
    ],
)
def test_what_moves_nothing_is_set_aside(
    kind: CallbackKind, changed: dict[str, Any], reason: str | None
) -> None:
    assert reason_to_set_aside(check(kind=kind, **changed), True) == reason
