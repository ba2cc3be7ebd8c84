"""CloudPayments' words as data, and its answers as outcomes.

Called by the client (envelopes), the callbacks (declines) and the client API (what to answer). Pure.
Source: developers.cloudpayments.ru, "Коды ошибок" and "Уведомления"; the categories outside the provider's
own groups for recurring charges are ours.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypedDict

from providers.cloudpayments.amounts import UnreadableAmount, minor_from_number, read_currency
from providers.port import (
    NOT_FOUND,
    CheckAnswer,
    Decline,
    DeclineCategory,
    Json,
    LookUp,
    Outcome,
    OutcomeKind,
)

CHECK_CODES: Final = MappingProxyType(
    {
        CheckAnswer.ACCEPTED: 0,
        CheckAnswer.WRONG_INVOICE: 10,
        CheckAnswer.WRONG_CUSTOMER: 11,
        CheckAnswer.WRONG_AMOUNT: 12,
        CheckAnswer.REFUSED: 13,
        CheckAnswer.EXPIRED: 20,
    }
)

_CODES: Final[dict[DeclineCategory, tuple[int, ...]]] = {
    DeclineCategory.SOFT: (5051, 5061, 5065),
    DeclineCategory.HARD: (
        *(5001, 5003, 5004, 5005, 5007, 5012, 5019, 5033, 5034, 5036, 5041, 5043, 5057, 5058, 5059, 5062),
        *(5063, 5113, 5204, 6001, 6010, 6011),
    ),
    DeclineCategory.TECHNICAL: (3006, 3007, 5030, 5091, 5092, 5096),
    DeclineCategory.PAYER_ACTION: (5006, 5014, 5015, 5031, 5054, 5055, 5082, 5206, 5207, 5209),
    DeclineCategory.MERCHANT_BUG: (3001, 3002, 3003, 3004, 3005, 3008, 5013, 5761, 5762, 5763, 6025),
    DeclineCategory.LIMIT: (5300, 5303),
}
REASON_CATEGORIES: Final = MappingProxyType(
    {str(code): category for category, codes in _CODES.items() for code in codes}
)

# What may be stored of an answer. A list of what is kept, not of what is dropped, so a new field of the
# provider's (a token, a name, an address) can never slip into our tables.
_KEPT: Final = frozenset({
    "Success", "Message", "Model", "TransactionId", "OriginalTransactionId", "Amount", "Currency",
    "InvoiceId", "AccountId", "Status", "StatusCode", "Reason", "ReasonCode", "CardHolderMessage",
    "CardFirstSix", "CardLastFour", "CardType", "TestMode", "Refunded", "Type", "OperationType",
    "CreatedDateIso", "AuthDateIso", "ConfirmDateIso", "Rrn", "Id", "Number", "Url", "JsonData",
    "refund_id",
})  # fmt: skip
_CARD_NUMBER = re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)")
_ANSWER_TEXT_LIMIT: Final = 1_000


class Envelope(TypedDict):
    """The provider's answer, always with these three keys. `Success` speaks of the call, not of the money."""

    Success: bool
    Message: str | None
    Model: object


def check_body(answer: CheckAnswer) -> bytes:
    """Give the body that answers a check."""
    return b'{"code":%d}' % CHECK_CODES[answer]


def decline_for(code: str, text: str) -> Decline:
    """Name a ReasonCode's category; an unlisted code is hard, since charging again might anger the bank."""
    return Decline(code, REASON_CATEGORIES.get(code, DeclineCategory.HARD), _mask_text(text))


def mask_card(first_six: str, last_four: str) -> str | None:
    """Give `411111******1111`, or None when the parts are not digits."""
    if re.fullmatch(r"[0-9]{6}", first_six) and re.fullmatch(r"[0-9]{4}", last_four):
        return f"{first_six}******{last_four}"
    return None


def masked(answer: Mapping[str, object]) -> dict[str, Json]:
    """Keep the known harmless fields; exact decimals become text, card numbers in texts are masked."""
    return {key: _masked_value(value) for key, value in answer.items() if key in _KEPT}


def created_order(envelope: Envelope) -> Outcome:
    """Read `orders/create`: a link that somebody has to open, or the provider's refusal."""
    answer = masked({**envelope})
    model = envelope["Model"]
    if envelope["Success"] and isinstance(model, dict):
        url = model.get("Url")
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            return Outcome(OutcomeKind.REQUIRES_ACTION, redirect_url=url, answer=answer)
    return _refused_or_odd(envelope)


def made_refund(envelope: Envelope, amount_minor: int, currency: str) -> Outcome:
    """Read `payments/refund`: success carries the refund's own transaction id and echoes no amount."""
    model = envelope["Model"]
    if envelope["Success"]:
        transaction_id = _text(model.get("TransactionId")) if isinstance(model, dict) else ""
        if not transaction_id:
            return _unknown("odd_envelope", envelope)
        return Outcome(
            OutcomeKind.SUCCEEDED, transaction_id, amount_minor, currency, answer=masked({**envelope})
        )
    if isinstance(model, dict) and _text(model.get("ReasonCode")) not in ("", "0"):
        decline = decline_for(_text(model.get("ReasonCode")), _payer_text(model))
        return Outcome(OutcomeKind.DECLINED, decline=decline, answer=masked({**envelope}))
    return _refused_or_odd(envelope)


def found_payment(envelope: Envelope, attempt_reference: str, transaction_id: str | None = None) -> LookUp:
    """Read `payments/find`, or `payments/get` of `transaction_id`.

    `Success: false` *with* a Model is a declined payment, not "not found".
    """
    model = envelope["Model"]
    if isinstance(model, dict):
        found_id = _text(model.get("TransactionId"))
        if _text(model.get("InvoiceId")) != attempt_reference or transaction_id not in (None, found_id):
            return _unknown("foreign_payment", envelope)
        return transaction_outcome(model, masked({**envelope}))
    if not envelope["Success"] and envelope["Message"] == "Not found":
        return NOT_FOUND
    return _unknown("odd_envelope", envelope)


def transaction_outcome(model: Mapping[str, object], answer: Mapping[str, Json]) -> Outcome:
    """Read one transaction by its `Status`; what cannot be read exactly is unknown."""
    kind = _STATUS_KINDS.get(_text(model.get("Status")))
    if kind is None:
        return Outcome(OutcomeKind.UNKNOWN, cause="odd_status", answer=answer)
    try:
        amount_minor = minor_from_number(model.get("Amount"))
        currency = read_currency(_text(model.get("Currency")))
    except UnreadableAmount:
        return Outcome(OutcomeKind.UNKNOWN, cause="odd_amount", answer=answer)
    declined = kind is OutcomeKind.DECLINED
    return Outcome(
        kind,
        transaction_id=_text(model.get("TransactionId")) or None,
        amount_minor=amount_minor,
        currency=currency,
        decline=decline_for(_text(model.get("ReasonCode")), _payer_text(model)) if declined else None,
        cause="authorized" if kind is OutcomeKind.PENDING else None,
        card_mask=mask_card(_text(model.get("CardFirstSix")), _text(model.get("CardLastFour"))),
        answer=answer,
    )


# A hold (`Authorized`) is not money yet; one that was let go (`Cancelled`) never will be.
_STATUS_KINDS: Final = MappingProxyType(
    {
        "AwaitingAuthentication": OutcomeKind.PENDING,
        "Authorized": OutcomeKind.PENDING,
        "Completed": OutcomeKind.SUCCEEDED,
        "Cancelled": OutcomeKind.DECLINED,
        "Declined": OutcomeKind.DECLINED,
    }
)


def _refused_or_odd(envelope: Envelope) -> Outcome:
    """A `Success: false` that says why is the provider's definite no; anything else proves nothing."""
    if not envelope["Success"] and envelope["Message"] and envelope["Model"] is None:
        decline = Decline("refused", DeclineCategory.MERCHANT_BUG, _mask_text(envelope["Message"]))
        return Outcome(OutcomeKind.DECLINED, decline=decline, answer=masked({**envelope}))
    return _unknown("odd_envelope", envelope)


def _unknown(cause: str, envelope: Envelope) -> Outcome:
    return Outcome(OutcomeKind.UNKNOWN, cause=cause, answer=masked({**envelope}))


def _payer_text(model: Mapping[str, object]) -> str:
    return _text(model.get("CardHolderMessage")) or _text(model.get("Reason"))


def _text(value: object) -> str:
    """Ids and codes arrive as numbers or as strings."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _masked_value(value: object) -> Json:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list):
        return [_masked_value(item) for item in value]
    return _mask_text(str(value))


def _mask_text(text: str) -> str:
    return _CARD_NUMBER.sub(_mask_digits, text)[:_ANSWER_TEXT_LIMIT]


def _mask_digits(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return f"{digits[:6]}******{digits[-4:]}"
