"""What a provider may take money for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.invoices import INVOICE
from billing.payments import ADMISSION_SECONDS, LIVE, PAYMENT
from booking.rules.machine import PAYABLE_MIN
from client_api.checks import decide_check, is_repeat
from client_api.outcomes import reason_to_set_aside
from client_api.queries.admissions import Admission
from client_api.queries.payments import Attempt
from providers.port import Callback, CallbackKind, CheckAnswer
from tests.unit.client_api.attempts import NOW, attempt, check

LIFETIME = timedelta(seconds=ADMISSION_SECONDS)
MOMENT = timedelta(microseconds=1)


def decide(
    asked_for: Attempt | None = None,
    asks: Callback | None = None,
    *admissions: Admission,
    now: datetime = NOW,
) -> CheckAnswer:
    return decide_check(asked_for or attempt(), asks or check(), True, admissions, now)


def admitted(
    *, same: bool, age: timedelta = timedelta(), closed: bool = False, attempt_id: UUID | None = None
) -> Admission:
    admitted_at = NOW - age
    return Admission(attempt_id or attempt().id, same, admitted_at, admitted_at if closed else None)


def test_an_open_invoices_live_attempt_may_be_paid() -> None:
    assert decide() is CheckAnswer.ACCEPTED


@pytest.mark.parametrize("state", PAYMENT.states)
def test_only_live_attempts_may_be_paid(state: str) -> None:
    assert (decide(attempt(state=state)) is CheckAnswer.ACCEPTED) == (state in LIVE)


@pytest.mark.parametrize("state", INVOICE.states)
def test_only_open_invoices_may_be_paid(state: str) -> None:
    expected = {"open": CheckAnswer.ACCEPTED, "expired": CheckAnswer.EXPIRED}
    assert decide(attempt(invoice_state=state)) is expected.get(state, CheckAnswer.REFUSED)


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
@pytest.mark.parametrize("admissions", [[], [admitted(same=True)]], ids=["first", "repeated"])
def test_what_differs_from_the_attempt_is_refused(
    asked: dict[str, Any], answer: CheckAnswer, admissions: list[Admission]
) -> None:
    assert decide(attempt(), check(**asked), *admissions) is answer


def test_the_last_moment_is_too_late() -> None:
    late = attempt(expires_at=NOW)
    assert decide(late) is CheckAnswer.EXPIRED
    assert decide(late, now=NOW - timedelta(seconds=1)) is CheckAnswer.ACCEPTED


def test_a_hold_is_not_paid_in_its_last_minute() -> None:
    held = attempt(hold_expires_at=NOW + PAYABLE_MIN, expires_at=NOW + PAYABLE_MIN)
    assert decide(held) is CheckAnswer.ACCEPTED
    assert decide(held, now=NOW + MOMENT) is CheckAnswer.EXPIRED


def test_an_invoice_that_lacks_less_is_not_overpaid() -> None:
    assert decide(attempt(due_minor=1)) is CheckAnswer.WRONG_AMOUNT


def test_one_transaction_has_leave_at_a_time() -> None:
    assert decide(None, None, admitted(same=False)) is CheckAnswer.REFUSED
    assert decide(None, None, admitted(same=False, closed=True)) is CheckAnswer.ACCEPTED


def test_leave_ends_with_its_time() -> None:
    assert decide(None, None, admitted(same=False, age=LIFETIME - MOMENT)) is CheckAnswer.REFUSED
    assert decide(None, None, admitted(same=False, age=LIFETIME)) is CheckAnswer.ACCEPTED


def test_a_repeat_gets_the_same_yes_while_it_is_open() -> None:
    repeated = admitted(same=True, age=LIFETIME - MOMENT)
    assert is_repeat(attempt(), [repeated], NOW)
    assert decide(None, None, repeated) is CheckAnswer.ACCEPTED
    late = attempt(hold_expires_at=NOW, expires_at=NOW)
    assert decide(late, None, repeated) is CheckAnswer.ACCEPTED


@pytest.mark.parametrize(
    "spent",
    [
        admitted(same=True, age=LIFETIME),
        admitted(same=True, closed=True),
        admitted(same=True, attempt_id=UUID(int=7)),
    ],
    ids=["over", "closed", "another attempt's"],
)
def test_no_transaction_gets_leave_twice(spent: Admission) -> None:
    assert not is_repeat(attempt(), [spent], NOW)
    assert decide(None, None, spent) is CheckAnswer.REFUSED


def test_a_repeat_is_refused_once_the_invoice_is_closed() -> None:
    assert decide(attempt(invoice_state="paid"), None, admitted(same=True)) is CheckAnswer.REFUSED


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
