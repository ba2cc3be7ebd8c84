"""The rows that commands change, as loaded under lock, and the columns that writing them needs.

One dataclass per table; its fields are the columns, in the order in which they are read.
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
from state_updater.columns import BigInt, Boolean, Bytes, Instant, Integer, Json, Text, Uuid


@dataclass(slots=True)
class Subscription:
    TABLE: ClassVar[str] = "subscription"
    MACHINE: ClassVar[Machine] = SUBSCRIPTION
    CHANGING: ClassVar[tuple[str, ...]] = (
        "price_id",
        "current_period_start",
        "current_period_end",
        "canceled_at",
        "cancel_at_period_end",
        "anchor_at",
    )

    id: Uuid
    studio_id: Uuid
    customer_id: Uuid
    price_id: Uuid
    state: Text
    version: Integer
    head_hash: Bytes
    current_period_start: Instant | None
    current_period_end: Instant | None
    canceled_at: Instant | None
    created_at: Instant
    updated_at: Instant
    metadata: Json
    cancel_at_period_end: Boolean
    anchor_at: Instant | None


@dataclass(slots=True)
class Invoice:
    TABLE: ClassVar[str] = "invoice"
    MACHINE: ClassVar[Machine] = INVOICE
    CHANGING: ClassVar[tuple[str, ...]] = ("paid_minor", "refunded_minor")

    id: Uuid
    studio_id: Uuid
    customer_id: Uuid
    subscription_id: Uuid | None
    state: Text
    version: Integer
    head_hash: Bytes
    currency: Text
    total_minor: BigInt
    paid_minor: BigInt
    refunded_minor: BigInt
    expires_at: Instant
    created_at: Instant
    updated_at: Instant
    period_start: Instant | None
    period_end: Instant | None
    booking_id: Uuid | None

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
    CHANGING: ClassVar[tuple[str, ...]] = ("redirect_url", "decline_code", "decline_category", "declines")

    id: Uuid
    studio_id: Uuid
    customer_id: Uuid
    invoice_id: Uuid
    provider_account_id: Uuid
    method: Text
    state: Text
    version: Integer
    head_hash: Bytes
    amount_minor: BigInt
    currency: Text
    return_url: Text
    redirect_url: Text | None
    decline_code: Text | None
    decline_category: Text | None
    declines: Integer
    created_at: Instant
    updated_at: Instant


@dataclass(slots=True)
class Refund:
    TABLE: ClassVar[str] = "refund"
    MACHINE: ClassVar[Machine] = REFUND
    CHANGING: ClassVar[tuple[str, ...]] = (
        "invoice_id",
        "provider_payment_id",
        "provider_refund_id",
        "decline_code",
    )

    id: Uuid
    studio_id: Uuid
    customer_id: Uuid | None
    invoice_id: Uuid | None
    provider_payment_id: Uuid | None
    provider_account_id: Uuid
    state: Text
    version: Integer
    head_hash: Bytes
    amount_minor: BigInt
    currency: Text
    origin: Text
    reason: Text
    payment_transaction_id: Text | None
    provider_refund_id: Text | None
    decline_code: Text | None
    created_at: Instant
    updated_at: Instant


@dataclass(slots=True)
class Payment:
    """Money that a provider says it took. No machine: a fact, whose refunds are counted."""

    TABLE: ClassVar[str] = "provider_payment"
    CHANGING: ClassVar[tuple[str, ...]] = ("refunded_minor", "reserved_minor")

    id: Uuid
    studio_id: Uuid
    provider_account_id: Uuid
    transaction_id: Text
    attempt_id: Uuid | None
    invoice_id: Uuid | None
    amount_minor: BigInt
    currency: Text
    unapplied_reason: Text | None
    refunded_minor: BigInt
    reserved_minor: BigInt
    card_mask: Text | None
    received_at: Instant

    @property
    def refundable_minor(self) -> int:
        return self.amount_minor - self.refunded_minor - self.reserved_minor


@dataclass(slots=True)
class Admission:
    """A provider was given leave to take money for an attempt. The API writes it."""

    TABLE: ClassVar[str] = "check_admission"
    CHANGING: ClassVar[tuple[str, ...]] = ("closed_at",)

    id: Uuid
    studio_id: Uuid
    provider_account_id: Uuid
    invoice_id: Uuid
    attempt_id: Uuid
    transaction_id: Text
    admitted_at: Instant
    closed_at: Instant | None


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
    on_site_limit: int
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
