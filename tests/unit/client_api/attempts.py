"""Attempts and callbacks for pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from client_api.queries.payments import Attempt
from providers.port import Callback, CallbackKind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CUSTOMER = UUID(int=2)

_ATTEMPT = Attempt(
    id=UUID(int=1),
    studio_id=UUID(int=9),
    customer_id=CUSTOMER,
    invoice_id=UUID(int=3),
    state="requires_action",
    method="widget",
    amount_minor=149_000,
    currency="RUB",
    return_url="https://shop.example.org/",
    redirect_url=None,
    decline_code=None,
    decline_category=None,
    declines=0,
    created_at=NOW,
    provider_account_id=UUID(int=4),
    invoice_state="open",
    invoice_number="2026-000001",
    expires_at=NOW + timedelta(days=1),
    subscription_id=None,
    booking_id=None,
    due_minor=149_000,
    provider="cloudpayments",
    public_id="test_api_1",
    api_url="https://api.example.org",
    widget_script_url="https://widget.example.org/w.js",
    is_test=True,
    description="Month",
    hold_expires_at=None,
)
_CHECK = Callback(
    kind=CallbackKind.CHECK,
    transaction_id="1",
    payment_transaction_id=None,
    attempt_reference=str(_ATTEMPT.id),
    amount_minor=149_000,
    currency="RUB",
    customer_reference=str(CUSTOMER),
    status="Completed",
    decline=None,
    is_test=True,
    card_mask=None,
    refund_reference=None,
    deduplication_hash=bytes(32),
)


def attempt(**changed: Any) -> Attempt:
    return replace(_ATTEMPT, **changed)


def check(**changed: Any) -> Callback:
    return replace(_CHECK, **changed)
