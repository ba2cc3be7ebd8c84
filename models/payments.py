"""Money on its way: provider accounts, attempts, received payments, refunds and calls to providers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import AmountMinor, Base, Count, Currency, JsonObject, Key, WrittenAt, check, tenant_key

_LIVE_ATTEMPT = "state IN ('intent', 'sent', 'requires_action', 'pending', 'unknown')"


class ProviderAccount(Base):
    """A studio's contract with a payment provider. Its secret is sealed by `storage.sealing`."""

    __tablename__ = "provider_account"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    provider: Mapped[str]
    public_id: Mapped[str]
    sealed_secret: Mapped[bytes] = mapped_column(deferred=True)
    api_url: Mapped[str]
    widget_script_url: Mapped[str]
    is_test: Mapped[bool]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[WrittenAt]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "provider", "public_id"),
        check("provider_account_provider_check", "provider IN ('cloudpayments')"),
    )


class PaymentMethod(Base):
    """A saved card: a sealed token and what a person may see of it."""

    __tablename__ = "payment_method"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    sealed_token: Mapped[bytes] = mapped_column(deferred=True)
    card_mask: Mapped[str]
    card_expires: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("customer_id", "customer"),
        tenant_key("provider_account_id", "provider_account"),
    )


class PaymentAttempt(Base):
    """The machine *payment*: one try to take an invoice's money. One live attempt per invoice."""

    __tablename__ = "payment_attempt"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    method: Mapped[str]
    state: Mapped[str]
    version: Mapped[int]
    head_hash: Mapped[bytes]
    amount_minor: Mapped[AmountMinor]
    currency: Mapped[Currency]
    return_url: Mapped[str]
    redirect_url: Mapped[str | None]
    decline_code: Mapped[str | None]
    decline_category: Mapped[str | None]
    declines: Mapped[Count]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("customer_id", "customer"),
        tenant_key("invoice_id", "invoice"),
        tenant_key("provider_account_id", "provider_account"),
        check("payment_attempt_method_check", "method IN ('widget', 'link')"),
        check("payment_attempt_amount_minor_check", "amount_minor > 0"),
        Index("payment_attempt_live", "invoice_id", unique=True, postgresql_where=text(_LIVE_ATTEMPT)),
        Index("payment_attempt_invoice", "invoice_id", "id"),
        Index("payment_attempt_created", "created_at", postgresql_using="brin"),
        Index("payment_attempt_state", "studio_id", "state", "id"),
    )


class ProviderPayment(Base):
    """Money that a provider says it took; matched to an invoice, or unapplied with a reason."""

    __tablename__ = "provider_payment"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    transaction_id: Mapped[str]
    attempt_id: Mapped[UUID | None]
    invoice_id: Mapped[UUID | None]
    amount_minor: Mapped[AmountMinor]
    currency: Mapped[Currency]
    unapplied_reason: Mapped[str | None]
    refunded_minor: Mapped[AmountMinor] = mapped_column(server_default=text("0"))
    reserved_minor: Mapped[AmountMinor] = mapped_column(server_default=text("0"))
    card_mask: Mapped[str | None]
    received_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("provider_account_id", "transaction_id"),
        tenant_key("provider_account_id", "provider_account"),
        tenant_key("attempt_id", "payment_attempt"),
        tenant_key("invoice_id", "invoice"),
        check("provider_payment_amount_minor_check", "amount_minor > 0"),
        check("provider_payment_check", "refunded_minor BETWEEN 0 AND amount_minor"),
        check("provider_payment_reserved_minor_check", "reserved_minor >= 0"),
        check("provider_payment_check1", "(invoice_id IS NULL) = (unapplied_reason IS NOT NULL)"),
        Index("provider_payment_invoice", "invoice_id"),
        Index("provider_payment_received", "studio_id", "received_at", "id"),
        Index("provider_payment_unapplied", "studio_id", postgresql_where=text("invoice_id IS NULL")),
    )


class Refund(Base):
    """Money given back, of one received payment (None: of one that we have never heard of)."""

    __tablename__ = "refund"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID | None]
    invoice_id: Mapped[UUID | None]
    provider_payment_id: Mapped[UUID | None]
    provider_account_id: Mapped[UUID]
    state: Mapped[str]
    version: Mapped[int]
    head_hash: Mapped[bytes]
    amount_minor: Mapped[AmountMinor]
    currency: Mapped[Currency]
    origin: Mapped[str]
    reason: Mapped[str]
    payment_transaction_id: Mapped[str | None]
    provider_refund_id: Mapped[str | None]
    decline_code: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("provider_account_id", "provider_refund_id"),
        tenant_key("customer_id", "customer"),
        tenant_key("invoice_id", "invoice"),
        tenant_key("provider_payment_id", "provider_payment"),
        tenant_key("provider_account_id", "provider_account"),
        check("refund_amount_minor_check", "amount_minor > 0"),
        check("refund_origin_check", "origin IN ('customer', 'staff', 'provider', 'terms')"),
        Index("refund_payment", "provider_payment_id"),
        Index("refund_invoice", "invoice_id"),
        Index("refund_created", "studio_id", "created_at", "id"),
        Index("refund_unknown", "updated_at", postgresql_where=text("state = 'unknown'")),
        Index(
            "refund_promised",
            "provider_payment_id",
            postgresql_where=text("state = 'declined' AND origin = 'terms'"),
        ),
        Index(
            "refund_early",
            "provider_account_id",
            "payment_transaction_id",
            postgresql_where=text("provider_payment_id IS NULL"),
        ),
    )


class ProviderCall(Base):
    """One call to a provider, written before any byte leaves; the unfinished one is the lease."""

    __tablename__ = "provider_call"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    kind: Mapped[str]
    attempt_id: Mapped[UUID | None]
    refund_id: Mapped[UUID | None]
    call_number: Mapped[int]
    request_id: Mapped[str]
    body_hash: Mapped[bytes]
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    outcome: Mapped[str | None]
    answer: Mapped[JsonObject | None]
    finished_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("attempt_id", "call_number"),
        UniqueConstraint("refund_id", "call_number"),
        tenant_key("attempt_id", "payment_attempt"),
        tenant_key("refund_id", "refund"),
        check("provider_call_kind_check", "kind IN ('create', 'refund', 'look_up')"),
        check("provider_call_call_number_check", "call_number > 0"),
        check("provider_call_check", "num_nonnulls(attempt_id, refund_id) = 1"),
        check("provider_call_check1", "(outcome IS NULL) = (finished_at IS NULL)"),
        Index(
            "provider_call_live_attempt",
            "attempt_id",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index(
            "provider_call_live_refund",
            "refund_id",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index("provider_call_lease", "lease_until", postgresql_where=text("finished_at IS NULL")),
        Index("provider_call_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )


class CheckAdmission(Base):
    """Leave to take an invoice's money, given to a provider that asked. Not closed until it tells the end."""

    __tablename__ = "check_admission"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    attempt_id: Mapped[UUID]
    transaction_id: Mapped[str]
    admitted_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    lapsed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("provider_account_id", "transaction_id"),
        tenant_key("provider_account_id", "provider_account"),
        tenant_key("invoice_id", "invoice"),
        tenant_key("attempt_id", "payment_attempt"),
        check("check_admission_check", "closed_at >= admitted_at"),
        check("check_admission_check1", "lapsed_at >= admitted_at"),
        Index(
            "check_admission_open",
            "invoice_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL AND lapsed_at IS NULL"),
        ),
        Index("check_admission_unanswered", "invoice_id", postgresql_where=text("closed_at IS NULL")),
    )
