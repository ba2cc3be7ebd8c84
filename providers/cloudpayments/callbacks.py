"""Verifies and reads CloudPayments notifications: check, pay, fail, refund.

Called by the client API with the bytes as they came. The signature is checked over those bytes before
anything is parsed. Nothing is stored, matched or decided here.
Source: developers.cloudpayments.ru, "Уведомления" and "Проверка уведомлений".
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

from providers.cloudpayments.amounts import UnreadableAmount, minor_from_text, read_currency
from providers.cloudpayments.answers import decline_for, mask_card
from providers.port import BadSignature, Callback, CallbackKind, Decline, ProviderAccount, UnreadableCallback

BODY_LIMIT_BYTES: Final = 64 * 1024
FIELD_LIMIT: Final = 100

Value = TypeVar("Value")

_TRANSACTION_ID = re.compile(r"[0-9]{1,19}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_STRUCTURE: Final = (b"%26", b"%3d", b"%3b")


def read_callback(
    account: ProviderAccount, kind: CallbackKind, headers: Mapping[str, str], raw_body: bytes
) -> Callback:
    """Verify the raw body and read it. `kind` comes from the URL: the body does not name its type.

    Raises BadSignature, UnreadableCallback (also for a body over BODY_LIMIT_BYTES).
    """
    if len(raw_body) > BODY_LIMIT_BYTES:
        raise UnreadableCallback("body is too large")
    lowered = {name.lower(): value for name, value in headers.items()}
    is_json = "json" in lowered.get("content-type", "").lower()
    verify_signature(account.secret, lowered, raw_body, is_json=is_json)
    fields = _read_json(raw_body) if is_json else _read_form(raw_body)
    try:
        return _callback(account, kind, fields)
    except UnreadableAmount as error:
        raise UnreadableCallback(str(error)) from error


def verify_signature(secret: str, headers: Mapping[str, str], raw_body: bytes, *, is_json: bool) -> None:
    """Compare in constant time: `Content-HMAC` over the bytes as sent, else `X-Content-HMAC`.

    `headers` have lower-case names. `X-Content-HMAC` signs the *decoded* form, which cannot tell `a=1%26b=2`
    from `a=1&b=2`; so it counts only when the first header is absent and the body hides no `&`, `=` or `;`
    that decoding would turn into structure. Raises BadSignature.
    """
    given = headers.get("content-hmac")
    message = raw_body
    if given is None:
        given = headers.get("x-content-hmac")
        if not is_json:
            if any(mark in raw_body.lower() for mark in _STRUCTURE):
                raise BadSignature("decoded signature over an ambiguous body")
            message = unquote_to_bytes(raw_body.replace(b"+", b" "))
    if given is None:
        raise BadSignature("no signature")
    expected = base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256))
    if not hmac.compare_digest(expected, given.encode("utf-8", "replace")):
        raise BadSignature("signature does not match")


def _callback(account: ProviderAccount, kind: CallbackKind, fields: Mapping[str, str]) -> Callback:
    is_refund = kind is CallbackKind.REFUND
    transaction_id = _transaction_id(fields, "TransactionId")
    payment_transaction_id = _transaction_id(fields, "PaymentTransactionId") if is_refund else None
    attempt_reference = fields.get("InvoiceId", "")
    amount_minor = minor_from_text(fields.get("Amount", ""))
    # A refund notification does not say its currency; it is the payment's.
    currency = None if is_refund and not fields.get("Currency") else read_currency(fields.get("Currency", ""))
    status = "Declined" if kind is CallbackKind.FAIL else fields.get("Status", "")
    return Callback(
        kind=kind,
        transaction_id=transaction_id,
        payment_transaction_id=payment_transaction_id,
        attempt_reference=attempt_reference,
        amount_minor=amount_minor,
        currency=currency,
        customer_reference=fields.get("AccountId", ""),
        status=status,
        decline=_decline(fields) if kind is CallbackKind.FAIL else None,
        is_test=fields.get("TestMode", "0").lower() in ("1", "true"),
        card_mask=mask_card(fields.get("CardFirstSix", ""), fields.get("CardLastFour", "")),
        refund_reference=_refund_reference(fields.get("Data", "")) if is_refund else None,
        deduplication_hash=_deduplication_hash(
            str(account.account_id), kind, transaction_id, payment_transaction_id or "",
            attempt_reference, str(amount_minor), currency or "", status,
        ),
    )  # fmt: skip


def _deduplication_hash(*facts: str) -> bytes:
    """Hash the facts, not the bytes: a repeat may be encoded in another way. JSON keeps the parts apart."""
    return hashlib.sha256(json.dumps(facts).encode()).digest()


def _decline(fields: Mapping[str, str]) -> Decline:
    return decline_for(
        fields.get("ReasonCode", ""), fields.get("CardHolderMessage") or fields.get("Reason", "")
    )


def _transaction_id(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "")
    if not _TRANSACTION_ID.fullmatch(value):
        raise UnreadableCallback(f"{name} is not an id")
    return value


def _refund_reference(text: str) -> str | None:
    """Our refund id, as sent in JsonData; absent for a refund made in the provider's cabinet."""
    try:
        reference = _load_json(text).get("refund_id")
    except UnreadableCallback:
        return None
    return reference if isinstance(reference, str) else None


def _read_form(raw_body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw_body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELD_LIMIT,
        )
    except ValueError as error:
        raise UnreadableCallback("body is not a form") from error
    # The content type is not signed: a JSON body that is called a form must not be read as one.
    if not all(_FIELD_NAME.fullmatch(name) for name, _ in pairs):
        raise UnreadableCallback("a field's name is none of the provider's")
    return _storable(_unique(pairs))


def _read_json(raw_body: bytes) -> dict[str, str]:
    """Read a JSON body into the same texts a form has; numbers keep the digits they were sent with."""
    try:
        text = raw_body.decode()
    except UnicodeDecodeError as error:
        raise UnreadableCallback("body is not UTF-8") from error
    return _storable({name: _as_text(value) for name, value in _load_json(text).items()})


def _load_json(text: str) -> dict[str, object]:
    try:
        value = json.loads(
            text, parse_float=str, parse_int=str, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableCallback("body is not JSON") from error
    if not isinstance(value, dict) or len(value) > FIELD_LIMIT:
        raise UnreadableCallback("body is not a JSON object of a known size")
    return value


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unique(pairs: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UnreadableCallback("a field is given twice")
    return fields


def _storable(fields: dict[str, str]) -> dict[str, str]:
    """Refuse what no text column can hold: NUL and lone surrogates."""
    for value in fields.values():
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise UnreadableCallback("a field holds characters that are no text")
    return fields


def _refuse_constant(name: str) -> object:
    raise UnreadableCallback(f"{name} is not a number")
