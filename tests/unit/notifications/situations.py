"""Situations for the tests of messages: everything is as it should be, until a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from notifications.kinds import Occasion
from notifications.rendering import Letter, Links, render
from notifications.situations import (
    AttemptNow,
    Customer,
    InvoiceNow,
    Money,
    PaymentNow,
    RefundNow,
    Situation,
    Studio,
    SubscriptionNow,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# Already the 29th in Moscow.
PERIOD_END = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)
EXPIRES_AT = PERIOD_END + timedelta(days=3)
KEY = "k" * 32
LINKS = Links(KEY, "https://{host}")
STUDIO_ID, CUSTOMER_ID, SUBSCRIPTION_ID, INVOICE_ID = (UUID(int=number) for number in range(1, 5))
PRICE = Money(149_000, "RUB")


def situation(**changes: Any) -> Situation:
    """An active subscription with its renewal invoice open. `changes`: a thing, and what is other of it."""
    whole = Situation(
        studio=Studio(STUDIO_ID, "Йога", "yoga.example.org", "Europe/Moscow", NOW, timedelta()),
        customer=Customer(CUSTOMER_ID, "anna@example.org", "Анна", "ru"),
        subscription=SubscriptionNow(SUBSCRIPTION_ID, "active", "Стандарт", False, NOW, PERIOD_END),
        invoice=InvoiceNow(
            INVOICE_ID, "open", "2026-000042", PRICE, PRICE, EXPIRES_AT, PERIOD_END, False, False
        ),
        attempt=AttemptNow("succeeded", PRICE, False),
        payment=PaymentNow(PRICE, "411111******1111", NOW, True),
        refund=RefundNow("succeeded", Money(49_050, "RUB")),
        waited=timedelta(hours=1),
    )
    changed: dict[str, Any] = {
        name: replace(getattr(whole, name), **change) if isinstance(change, dict) else change
        for name, change in changes.items()
    }
    return replace(whole, **changed)


def occasion_of(kind: str) -> Occasion:
    if kind in ("renewal", "period_end"):
        return Occasion("7", PERIOD_END)
    return Occasion("canceled" if kind == "subscription_ended" else "told")


# How things stand when each kind is true.
TRUE: dict[str, dict[str, Any]] = {
    "renewal": {},
    "period_end": {"subscription": {"is_ending": True}, "invoice": None},
    "invoice_issued": {},
    "payment_succeeded": {"refund": None},
    "payment_failed": {"attempt": {"state": "declined"}, "payment": None, "refund": None},
    "refund": {},
    "subscription_started": {"invoice": None},
    "subscription_ended": {"subscription": {"state": "canceled"}, "invoice": None},
}


def letter(kind: str, locale: str = "ru", **changes: Any) -> Letter:
    """The letter of a kind when it is true, in one language."""
    customer = {"locale": locale, **changes.pop("customer", {})}
    now = situation(**{**TRUE[kind], "customer": customer, **changes})
    return render(kind, now, occasion_of(kind), PRICE, LINKS, NOW)
