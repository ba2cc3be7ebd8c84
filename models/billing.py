"""Subscriptions and invoices. Their `state` moves only through `state_updater`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    AmountMinor,
    Base,
    Currency,
    JsonObject,
    Key,
    Small,
    check,
    studio_currency,
    tenant_key,
)


class Subscription(Base):
    """A plan that a customer has."""

    __tablename__ = "subscription"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    price_id: Mapped[UUID]
    state: Mapped[str]
    version: Mapped[int]
    head_hash: Mapped[bytes]
    current_period_start: Mapped[datetime | None]
    current_period_end: Mapped[datetime | None]
    canceled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))
    anchor_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("customer_id", "customer"),
        tenant_key("price_id", "price"),
        Index(
            "subscription_period_end", "current_period_end", "id", postgresql_where=text("state = 'active'")
        ),
        check("subscription_check", "state <> 'active' OR current_period_end > current_period_start"),
        check("subscription_check1", "state <> 'active' OR anchor_at IS NOT NULL"),
        Index("subscription_customer", "customer_id", "id"),
        Index("subscription_state", "studio_id", "state", "id"),
        Index("subscription_price", "price_id", "state"),
    )


class InvoiceCounter(Base):
    """The last invoice number of a studio's year."""

    __tablename__ = "invoice_counter"

    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"), primary_key=True)
    year: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    last_number: Mapped[int]

    __table_args__ = (check("invoice_counter_last_number_check", "last_number > 0"),)


class Invoice(Base):
    """What a customer owes. It has a number from the moment it is open."""

    __tablename__ = "invoice"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    subscription_id: Mapped[UUID | None]
    state: Mapped[str]
    version: Mapped[int]
    head_hash: Mapped[bytes]
    number: Mapped[str | None]
    currency: Mapped[Currency]
    total_minor: Mapped[AmountMinor]
    paid_minor: Mapped[AmountMinor] = mapped_column(server_default=text("0"))
    refunded_minor: Mapped[AmountMinor] = mapped_column(server_default=text("0"))
    expires_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    booking_id: Mapped[UUID | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "number"),
        studio_currency(),
        tenant_key("customer_id", "customer"),
        tenant_key("subscription_id", "subscription"),
        tenant_key("booking_id", "booking"),
        check("invoice_total_minor_check", "total_minor > 0"),
        check("invoice_check", "paid_minor BETWEEN 0 AND total_minor"),
        check("invoice_check1", "refunded_minor BETWEEN 0 AND paid_minor"),
        check("invoice_check2", "(number IS NULL) = (opened_at IS NULL)"),
        check("invoice_check3", "opened_at IS NOT NULL OR state IN ('draft', 'void')"),
        check("invoice_check4", "(period_start IS NULL) = (period_end IS NULL)"),
        check("invoice_check5", "period_end > period_start"),
        check("invoice_check6", "period_start IS NULL OR subscription_id IS NOT NULL"),
        Index(
            "invoice_period",
            "subscription_id",
            "period_start",
            unique=True,
            postgresql_where=text("period_start IS NOT NULL AND state <> 'void'"),
        ),
        check("invoice_check7", "booking_id IS NULL OR subscription_id IS NULL"),
        Index("invoice_booking", "booking_id", postgresql_where=text("booking_id IS NOT NULL")),
        Index("invoice_customer", "customer_id", "id"),
        Index("invoice_state", "studio_id", "state", "id"),
        Index("invoice_subscription", "subscription_id"),
        Index("invoice_expiry", "expires_at", postgresql_where=text("state = 'open'")),
    )


class InvoiceLine(Base):
    """One line of an invoice."""

    __tablename__ = "invoice_line"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    position: Mapped[Small]
    price_id: Mapped[UUID | None]
    description: Mapped[str]
    quantity: Mapped[int]
    unit_amount_minor: Mapped[AmountMinor]
    amount_minor: Mapped[AmountMinor]

    __table_args__ = (
        UniqueConstraint("invoice_id", "position"),
        tenant_key("invoice_id", "invoice"),
        tenant_key("price_id", "price"),
        check("invoice_line_quantity_check", "quantity > 0"),
        check("invoice_line_unit_amount_minor_check", "unit_amount_minor > 0"),
        check("invoice_line_check", "amount_minor = quantity * unit_amount_minor"),
    )
