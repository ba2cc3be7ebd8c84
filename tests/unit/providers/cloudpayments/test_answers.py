"""What the provider's envelopes mean, and what of them may be stored."""

from decimal import Decimal

import pytest

from providers.cloudpayments.answers import (
    CHECK_CODES,
    Envelope,
    check_body,
    created_order,
    decline_for,
    found_payment,
    made_refund,
    masked,
)
from providers.port import NOT_FOUND, CheckAnswer, DeclineCategory, Outcome, OutcomeKind

MODEL = {
    "TransactionId": 504,
    "Amount": Decimal("1490.00"),
    "Currency": "RUB",
    "InvoiceId": "att-1",
    "Status": "Completed",
    "CardFirstSix": "411111",
    "CardLastFour": "1111",
    "Token": "tk_secret",
    "Email": "u7@example.ru",
}


def envelope(success: bool = True, message: str | None = None, model: object = None) -> Envelope:
    return {"Success": success, "Message": message, "Model": model}


def found(**changes: object) -> Outcome:
    success = changes.pop("success", True)
    outcome = found_payment(envelope(bool(success), None, MODEL | changes), "att-1")
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("AwaitingAuthentication", OutcomeKind.PENDING),
        ("Authorized", OutcomeKind.PENDING),
        ("Completed", OutcomeKind.SUCCEEDED),
        ("Cancelled", OutcomeKind.DECLINED),
        ("Declined", OutcomeKind.DECLINED),
        ("Invented", OutcomeKind.UNKNOWN),
        (None, OutcomeKind.UNKNOWN),
    ],
)
def test_each_status_has_one_outcome(status: str | None, kind: OutcomeKind) -> None:
    assert found(Status=status).kind is kind


def test_a_completed_payment_is_read_exactly() -> None:
    outcome = found()
    assert (outcome.transaction_id, outcome.amount_minor, outcome.currency) == ("504", 149_000, "RUB")
    assert outcome.card_mask == "411111******1111"


def test_success_false_with_a_model_is_a_fact() -> None:
    outcome = found(success=False, Status="Declined", ReasonCode=5051, CardHolderMessage="Мало денег")
    assert outcome.kind is OutcomeKind.DECLINED
    assert outcome.decline == decline_for("5051", "Мало денег")


def test_not_found_is_said_only_by_the_provider_in_so_many_words() -> None:
    assert found_payment(envelope(False, "Not found"), "att-1") is NOT_FOUND
    for odd in (envelope(False, "Database error"), envelope(False), envelope(True), envelope(True, None, [])):
        outcome = found_payment(odd, "att-1")
        assert isinstance(outcome, Outcome)
        assert outcome.kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("amount", [None, True, "1490.00", Decimal("1490.001"), Decimal("NaN"), -5])
def test_an_amount_that_is_no_exact_number_leaves_the_payment_unknown(amount: object) -> None:
    assert found(Amount=amount).kind is OutcomeKind.UNKNOWN


def test_a_payment_of_another_attempt_is_not_adopted() -> None:
    assert found(InvoiceId="att-2").kind is OutcomeKind.UNKNOWN


def test_an_order_without_a_usable_address_is_unknown() -> None:
    odd: list[object] = [{"Url": "javascript:alert(1)"}, {"Url": None}, {}, None, []]
    good = created_order(envelope(True, None, {"Url": "https://orders.example/d/1"}))
    assert (good.kind, good.redirect_url) == (OutcomeKind.REQUIRES_ACTION, "https://orders.example/d/1")
    for model in odd:
        assert created_order(envelope(True, None, model)).kind is OutcomeKind.UNKNOWN


def test_a_refusal_in_words_is_a_decline_and_an_empty_one_is_unknown() -> None:
    assert created_order(envelope(False, "Amount is required")).kind is OutcomeKind.DECLINED
    assert made_refund(envelope(False, "Too much"), 1, "RUB").kind is OutcomeKind.DECLINED
    assert made_refund(envelope(False), 1, "RUB").kind is OutcomeKind.UNKNOWN
    assert made_refund(envelope(True), 1, "RUB").kind is OutcomeKind.UNKNOWN


def test_a_refund_has_its_own_transaction_id() -> None:
    outcome = made_refund(envelope(True, None, {"TransactionId": 505}), 700, "RUB")
    assert (outcome.kind, outcome.transaction_id, outcome.amount_minor) == (OutcomeKind.SUCCEEDED, "505", 700)


def test_stored_answers_hold_no_token_address_or_whole_card_number() -> None:
    answer = masked({**envelope(False, "Card 4111 1111 1111 1111 or 4111111111111111", MODEL)})
    text = repr(answer)
    for secret in ("tk_secret", "u7@example.ru", "4111 1111 1111 1111", "4111111111111111"):
        assert secret not in text
    model = answer["Model"]
    assert isinstance(model, dict)
    assert model["Amount"] == "1490.00"


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("5051", DeclineCategory.SOFT),
        ("5034", DeclineCategory.HARD),
        ("5091", DeclineCategory.TECHNICAL),
        ("5206", DeclineCategory.PAYER_ACTION),
        ("3003", DeclineCategory.MERCHANT_BUG),
        ("5300", DeclineCategory.LIMIT),
        ("9999", DeclineCategory.HARD),
    ],
)
def test_reason_codes_have_categories_and_unlisted_ones_are_hard(
    code: str, category: DeclineCategory
) -> None:
    assert decline_for(code, "").category is category


def test_every_check_answer_has_its_code() -> None:
    assert {answer: check_body(answer) for answer in CheckAnswer} == {
        CheckAnswer.ACCEPTED: b'{"code":0}',
        CheckAnswer.WRONG_INVOICE: b'{"code":10}',
        CheckAnswer.WRONG_CUSTOMER: b'{"code":11}',
        CheckAnswer.WRONG_AMOUNT: b'{"code":12}',
        CheckAnswer.REFUSED: b'{"code":13}',
        CheckAnswer.EXPIRED: b'{"code":20}',
    }
    assert set(CHECK_CODES) == set(CheckAnswer)
