"""The rows that commands change, as loaded under lock, and the columns that writing them needs.

One dataclass per table, fields named as its columns. `COLUMNS` gives each column's Postgres type, in order.
Those of bookings are in `booking_rows`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from billing.invoices import INVOICE, InvoiceSums
from billing.payments import PAYMENT
from billing.periods import Period, PeriodUnit
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from kit.machine import Machine
from state_updater.booking_rows import Booking, ExtraUse, Occupancy


@dataclass(slots=True)
class Subscription:
    TABLE: ClassVar[str] = "subscription"
    MACHINE: ClassVar[Machine] = SUBSCRIPTION
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "price_id": "uuid",
        "state": "text",
        "version": "integer",
        "head_hash": "bytea",
        "current_period_start": "timestamptz",
        "current_period_end": "timestamptz",
        "canceled_at": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "metadata": "jsonb",
        "cancel_at_period_end": "boolean",
        "anchor_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = (
        "price_id",
        "current_period_start",
        "current_period_end",
        "canceled_at",
        "cancel_at_period_end",
        "anchor_at",
    )

    id: UUID
    studio_id: UUID
    customer_id: UUID
    price_id: UUID
    state: str
    version: int
    head_hash: bytes
    current_period_start: datetime | None
    current_period_end: datetime | None
    canceled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    metadata: str
    cancel_at_period_end: bool
    anchor_at: datetime | None


@dataclass(slots=True)
class Invoice:
    TABLE: ClassVar[str] = "invoice"
    MACHINE: ClassVar[Machine] = INVOICE
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "subscription_id": "uuid",
        "state": "text",
        "version": "integer",
        "head_hash": "bytea",
        "currency": "text",
        "total_minor": "bigint",
        "paid_minor": "bigint",
        "refunded_minor": "bigint",
        "expires_at": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "period_start": "timestamptz",
        "period_end": "timestamptz",
        "booking_id": "uuid",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("paid_minor", "refunded_minor")

    id: UUID
    studio_id: UUID
    customer_id: UUID
    subscription_id: UUID | None
    state: str
    version: int
    head_hash: bytes
    currency: str
    total_minor: int
    paid_minor: int
    refunded_minor: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    period_start: datetime | None
    period_end: datetime | None
    booking_id: UUID | None

    @property
    def sums(self) -> InvoiceSums:
        return InvoiceSums(self.total_minor, self.paid_minor, self.refunded_minor)

    @property
    def period(self) -> Period | None:
        """What it renews its subscription for; None for any other invoice."""
        if self.period_start is None or self.period_end is None:
            return None
        return Period(self.period_start, self.period_end)


@dataclass(slots=True)
class Attempt:
    TABLE: ClassVar[str] = "payment_attempt"
    MACHINE: ClassVar[Machine] = PAYMENT
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "invoice_id": "uuid",
        "provider_account_id": "uuid",
        "method": "text",
        "state": "text",
        "version": "integer",
        "head_hash": "bytea",
        "amount_minor": "bigint",
        "currency": "text",
        "return_url": "text",
        "redirect_url": "text",
        "decline_code": "text",
        "decline_category": "text",
        "declines": "integer",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("redirect_url", "decline_code", "decline_category", "declines")

    id: UUID
    studio_id: UUID
    customer_id: UUID
    invoice_id: UUID
    provider_account_id: UUID
    method: str
    state: str
    version: int
    head_hash: bytes
    amount_minor: int
    currency: str
    return_url: str
    redirect_url: str | None
    decline_code: str | None
    decline_category: str | None
    declines: int
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Refund:
    TABLE: ClassVar[str] = "refund"
    MACHINE: ClassVar[Machine] = REFUND
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "invoice_id": "uuid",
        "provider_payment_id": "uuid",
        "provider_account_id": "uuid",
        "state": "text",
        "version": "integer",
        "head_hash": "bytea",
        "amount_minor": "bigint",
        "currency": "text",
        "origin": "text",
        "reason": "text",
        "payment_transaction_id": "text",
        "provider_refund_id": "text",
        "decline_code": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = (
        "invoice_id",
        "provider_payment_id",
        "provider_refund_id",
        "decline_code",
    )

    id: UUID
    studio_id: UUID
    customer_id: UUID | None
    invoice_id: UUID | None
    provider_payment_id: UUID | None
    provider_account_id: UUID
    state: str
    version: int
    head_hash: bytes
    amount_minor: int
    currency: str
    origin: str
    reason: str
    payment_transaction_id: str | None
    provider_refund_id: str | None
    decline_code: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Payment:
    """Money that a provider says it took. No machine: a fact, whose refunds are counted."""

    TABLE: ClassVar[str] = "provider_payment"
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "provider_account_id": "uuid",
        "transaction_id": "text",
        "attempt_id": "uuid",
        "invoice_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "unapplied_reason": "text",
        "refunded_minor": "bigint",
        "reserved_minor": "bigint",
        "card_mask": "text",
        "received_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("refunded_minor", "reserved_minor")

    id: UUID
    studio_id: UUID
    provider_account_id: UUID
    transaction_id: str
    attempt_id: UUID | None
    invoice_id: UUID | None
    amount_minor: int
    currency: str
    unapplied_reason: str | None
    refunded_minor: int
    reserved_minor: int
    card_mask: str | None
    received_at: datetime

    @property
    def refundable_minor(self) -> int:
        return self.amount_minor - self.refunded_minor - self.reserved_minor


@dataclass(slots=True)
class Admission:
    """A provider was given leave to take money for an attempt. The API writes it."""

    TABLE: ClassVar[str] = "check_admission"
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "provider_account_id": "uuid",
        "invoice_id": "uuid",
        "attempt_id": "uuid",
        "transaction_id": "text",
        "admitted_at": "timestamptz",
        "closed_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("closed_at",)

    id: UUID
    studio_id: UUID
    provider_account_id: UUID
    invoice_id: UUID
    attempt_id: UUID
    transaction_id: str
    admitted_at: datetime
    closed_at: datetime | None


Aggregate = Subscription | Booking | Invoice | Attempt | Refund
Row = Aggregate | Payment | Occupancy | ExtraUse | Admission

AGGREGATES: tuple[type[Aggregate], ...] = (Subscription, Booking, Invoice, Attempt, Refund)

# The order in which rows are locked; within a table by id.
LOCK_ORDER: tuple[type[Row], ...] = (Subscription, Booking, Invoice, Attempt, Payment, Refund)

# Rows that need no lock of their own: whoever changes them has that of the hall, the extra or the customer.
INSERTED: tuple[type[Row], ...] = (*LOCK_ORDER, Occupancy, ExtraUse)
TOUCHED: tuple[type[Row], ...] = (*INSERTED, Admission)


@dataclass(frozen=True, slots=True)
class Studio:
    """What decisions need to know of a studio."""

    id: UUID
    timezone: str
    currency: str
    refund_policy: str
    invoice_lifetime_seconds: int
    hold_seconds: int
    staff_hold_seconds: int
    holds_limit: int
    pays_on_site: bool
    late_money: str
    reschedule_hours_before: int
    offset_seconds: int


@dataclass(frozen=True, slots=True)
class Price:
    id: UUID
    studio_id: UUID
    plan_name: str
    is_available: bool
    amount_minor: int
    currency: str
    period_unit: PeriodUnit
    period_count: int
    plan_id: UUID
    version: int
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    id: UUID
    studio_id: UUID
    is_active: bool
