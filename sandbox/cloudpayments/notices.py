"""Builds and signs the twin's notifications. Pure.

Called by `courier`. Form by default, JSON for a site that asks for it. Both signature headers: `Content-HMAC`
over the bytes, `X-Content-HMAC` over the decoded text.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_plus, urlencode

import orjson

from sandbox.cloudpayments.money import wire_from_minor
from sandbox.cloudpayments.records import CallbackName, Site, Transaction

CARD: Final = MappingProxyType(
    {"CardFirstSix": "424242", "CardLastFour": "4242", "CardType": "Visa", "CardExpDate": "12/30"}
)
REASONS: Final = MappingProxyType(
    {
        0: ("Approved", "Оплата успешно проведена"),
        3001: ("Invalid order number", "Платёж отклонён магазином"),
        3002: ("Invalid AccountId", "Платёж отклонён магазином"),
        3003: ("Invalid amount", "Платёж отклонён магазином"),
        3004: ("Out of date", "Срок оплаты истёк"),
        3005: ("Format error", "Платёж не может быть принят"),
        3006: ("Unavailable", "Магазин недоступен, попробуйте позже"),
        3007: ("Unable to connect", "Магазин недоступен, попробуйте позже"),
        3008: ("Payment rejected", "Платёж отклонён магазином"),
        5051: ("Insufficient funds", "Недостаточно средств на карте"),
    }
)
_NUMBERS: Final = frozenset({"TransactionId", "PaymentTransactionId", "Amount", "PaymentAmount", "TestMode"})
_CONTENT_TYPES: Final = MappingProxyType(
    {"form": "application/x-www-form-urlencoded", "json": "application/json"}
)


def write_notice(name: CallbackName, site: Site, transaction: Transaction) -> tuple[str, str]:
    """Give the body (ASCII form or JSON) and its content type."""
    fields = _refund_fields(transaction) if name == "refund" else _payment_fields(name, transaction)
    if site.format == "form":
        return urlencode(fields), _CONTENT_TYPES["form"]
    values = {key: orjson.Fragment(text) if key in _NUMBERS else text for key, text in fields.items()}
    return orjson.dumps(values).decode(), _CONTENT_TYPES["json"]


def sign(secret: str, body: str, content_type: str) -> dict[str, str]:
    """Give the headers of a notification."""
    decoded = body if content_type == _CONTENT_TYPES["json"] else unquote_plus(body)
    return {
        "Content-Type": content_type,
        "Content-HMAC": _signature(secret, body),
        "X-Content-HMAC": _signature(secret, decoded),
    }


def utc_text(at: float) -> str:
    """Give `2026-11-21T03:04:05`, which is UTC without saying so."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _payment_fields(name: CallbackName, transaction: Transaction) -> dict[str, str]:
    amount = wire_from_minor(transaction.amount_minor)
    fields = {
        "TransactionId": str(transaction.transaction_id),
        "Amount": amount,
        "Currency": transaction.currency,
        "PaymentAmount": amount,
        "PaymentCurrency": transaction.currency,
        "DateTime": utc_text(transaction.created_at).replace("T", " "),
        **CARD,
        "TestMode": str(int(transaction.is_test)),
        "OperationType": "Payment",
        "InvoiceId": transaction.invoice_id,
        "AccountId": transaction.account_id,
        "Description": transaction.description,
        "Data": transaction.data,
    }
    if name == "fail":
        reason, _ = REASONS[transaction.reason_code]
        return fields | {"Reason": reason, "ReasonCode": str(transaction.reason_code)}
    return fields | {"Status": "Completed"}


def _refund_fields(transaction: Transaction) -> dict[str, str]:
    return {
        "TransactionId": str(transaction.transaction_id),
        "PaymentTransactionId": str(transaction.original_id),
        "Amount": wire_from_minor(transaction.amount_minor),
        "DateTime": utc_text(transaction.created_at).replace("T", " "),
        "TestMode": str(int(transaction.is_test)),
        "OperationType": "Refund",
        "InvoiceId": transaction.invoice_id,
        "AccountId": transaction.account_id,
        "Data": transaction.data,
    }


def _signature(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()
