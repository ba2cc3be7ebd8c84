"""Notifications as CloudPayments sends them: forms, signed over the bytes."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from httpx import Client, Response

from tests.integration.client_api.conftest import ShopWindow


def new_transaction_id() -> str:
    return str(secrets.randbelow(10**15) + 1)


def pay_fields(attempt: Mapping[str, Any], customer_id: UUID, **changed: str) -> dict[str, str]:
    return {
        "TransactionId": new_transaction_id(),
        "Amount": f"{attempt['amount']['amount_minor'] / 100:.2f}",
        "Currency": attempt["amount"]["currency"],
        "InvoiceId": attempt["id"],
        "AccountId": str(customer_id),
        "Status": "Completed",
        "TestMode": "1",
        "OperationType": "Payment",
        **changed,
    }


def sign(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def send(
    client: Client, shop: ShopWindow, kind: str, body: bytes, signature: str | None, **more: str
) -> Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **more}
    if signature is not None:
        headers["Content-HMAC"] = signature
    return client.post(f"/callbacks/cloudpayments/{shop.account_id}/{kind}", content=body, headers=headers)


def notify(client: Client, shop: ShopWindow, kind: str, fields: Mapping[str, str]) -> Response:
    """Signed as the shop's provider would."""
    body = urlencode(fields).encode()
    return send(client, shop, kind, body, sign(shop.secret, body))
