"""Situations for the tests of messages: everything is as it should be, until a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from booking.rules.terms import Tier
from notifications.money import Money
from notifications.occasions import Occasion, Slot
from notifications.rendering import Letter, Links, render
from notifications.situations import (
    AttemptNow,
    BookingNow,
    Customer,
    InvoiceNow,
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
NOTHING = Money(0, "RUB")
HALL_ID, BOOKING_ID = UUID(int=5), UUID(int=6)
# Five days ahead, at noon in Moscow.
SLOT = Slot(HALL_ID, datetime(2026, 11, 26, 9, tzinfo=UTC), datetime(2026, 11, 26, 11, tzinfo=UTC))
# An hour from now.
HOLD_EXPIRES_AT = NOW + timedelta(hours=1)
TERMS = (Tier(48, 100), Tier(24, 50))


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


def booking(**changes: Any) -> BookingNow:
    """One that is confirmed and paid."""
    whole = BookingNow(
        id=BOOKING_ID,
        state="confirmed",
        origin="customer",
        payment="online",
        slot=SLOT,
        hall_name="Большой зал",
        people=4,
        extras=(("Софит", 2), ("Фон", 1)),
        total=PRICE,
        paid=PRICE,
        given_back=NOTHING,
        hold_expires_at=HOLD_EXPIRES_AT,
        terms=TERMS,
        was_lost=False,
        has_successor=False,
    )
    return replace(whole, **changes)


def occasion_of(kind: str) -> Occasion:
    if kind in ("renewal", "period_end"):
        return Occasion("7", PERIOD_END)
    if kind.startswith("booking_"):
        return Occasion("told", slot=SLOT)
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
_NO_OTHER: dict[str, Any] = dict.fromkeys(("subscription", "invoice", "attempt", "payment", "refund"))
_TO_PAY = InvoiceNow(INVOICE_ID, "open", "2026-000043", PRICE, PRICE, HOLD_EXPIRES_AT, None, False, False)
TRUE |= {
    "booking_created": {
        **_NO_OTHER,
        "invoice": _TO_PAY,
        "booking": booking(state="awaiting_payment", paid=NOTHING),
    },
    "booking_confirmed": {**_NO_OTHER, "booking": booking()},
    "booking_rescheduled": {**_NO_OTHER, "booking": booking()},
    "booking_cancelled": {**_NO_OTHER, "booking": booking(state="canceled", paid=NOTHING, given_back=PRICE)},
    "booking_expired": {
        **_NO_OTHER,
        "invoice": replace(_TO_PAY, state="expired"),
        "booking": booking(state="expired", paid=NOTHING),
    },
    "booking_money_late": {
        **_NO_OTHER,
        "invoice": replace(_TO_PAY, state="expired"),
        "attempt": AttemptNow("succeeded", PRICE, False),
        "payment": PaymentNow(PRICE, "411111******1111", NOW, False, is_going_back=True),
        "booking": booking(state="expired", paid=NOTHING),
    },
    "booking_reminder": {**_NO_OTHER, "booking": booking()},
    "booking_rating": {
        **_NO_OTHER,
        "booking": booking(state="completed"),
        "studio": {"now": SLOT.ends_at + timedelta(hours=2)},
    },
}


def true_situation(kind: str, **changes: Any) -> Situation:
    """As it is when the kind is true, but for `changes`; those of a thing change what is true of it."""
    true = situation(**TRUE[kind])
    changed = {
        name: replace(getattr(true, name), **change) if isinstance(change, dict) else change
        for name, change in changes.items()
    }
    return replace(true, **changed)


def letter(kind: str, locale: str = "ru", **changes: Any) -> Letter:
    """The letter of a kind when it is true, in one language."""
    customer = {"locale": locale, **changes.pop("customer", {})}
    now = true_situation(kind, customer=customer, **changes)
    return render(kind, now, occasion_of(kind), PRICE, LINKS, NOW)
