"""Studios, their clocks, and the people in them.

Secrets are deferred: who lists people does not read them, and most roles may not.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Currency, JsonList, JsonObject, Key, Long, WrittenAt, check, tenant_key

_TERMS = """'[{"hours_before": 48, "refund_percent": 100}, {"hours_before": 24, "refund_percent": 50}]'"""
_ROLE_LISTED = "role IN ('owner', 'manager', 'support', 'ops', 'platform_admin')"


class Studio(Base):
    """A tenant. `seller_studio_id` is the platform's studio, which bills it."""

    __tablename__ = "studio"

    id: Mapped[Key]
    name: Mapped[str]
    host: Mapped[str] = mapped_column(unique=True)
    timezone: Mapped[str]
    locale: Mapped[str] = mapped_column(server_default=text("'ru'"))
    currency: Mapped[Currency]
    allowed_origins: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    refund_policy: Mapped[str] = mapped_column(server_default=text("'staff'"))
    invoice_lifetime_seconds: Mapped[int] = mapped_column(server_default=text("259200"))
    seller_studio_id: Mapped[UUID | None] = mapped_column(ForeignKey("studio.id"))
    seller_subscription_id: Mapped[UUID | None]
    created_at: Mapped[WrittenAt]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))
    hold_seconds: Mapped[int] = mapped_column(server_default=text("900"))
    staff_hold_seconds: Mapped[int] = mapped_column(server_default=text("86400"))
    quote_seconds: Mapped[int] = mapped_column(server_default=text("600"))
    holds_limit: Mapped[int] = mapped_column(server_default=text("3"))
    on_site_limit: Mapped[int] = mapped_column(server_default=text("5"))
    pays_on_site: Mapped[bool] = mapped_column(server_default=text("false"))
    late_money: Mapped[str] = mapped_column(server_default=text("'refund'"))
    reschedule_hours_before: Mapped[int] = mapped_column(server_default=text("24"))
    cancellation_terms: Mapped[JsonList] = mapped_column(server_default=text(_TERMS))

    __table_args__ = (
        UniqueConstraint("id", "currency"),
        check("studio_hold_seconds_check", "hold_seconds BETWEEN 120 AND 86400"),
        check("studio_staff_hold_seconds_check", "staff_hold_seconds BETWEEN 120 AND 2592000"),
        check("studio_quote_seconds_check", "quote_seconds BETWEEN 60 AND 86400"),
        check("studio_holds_limit_check", "holds_limit BETWEEN 1 AND 100"),
        check("studio_on_site_limit_check", "on_site_limit BETWEEN 1 AND 100"),
        check("studio_late_money_check", "late_money IN ('refund', 'staff')"),
        check("studio_reschedule_hours_before_check", "reschedule_hours_before BETWEEN 0 AND 8760"),
        check("studio_cancellation_terms_check", "jsonb_typeof(cancellation_terms) = 'array'"),
        check("studio_host_check", "host = lower(host)"),
        check("studio_locale_check", "locale IN ('ru', 'en')"),
        check("studio_currency_check", "currency ~ '^[A-Z]{3}$'"),
        check("studio_refund_policy_check", "refund_policy IN ('staff', 'automatic')"),
        check("studio_invoice_lifetime_seconds_check", "invoice_lifetime_seconds > 0"),
    )


class ClockOffset(Base):
    """A test studio lives at another time; no row means zero."""

    __tablename__ = "clock_offset"

    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"), primary_key=True)
    offset_seconds: Mapped[Long]


class Customer(Base):
    """A person in one studio."""

    __tablename__ = "customer"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    email: Mapped[str]
    name: Mapped[str]
    locale: Mapped[str] = mapped_column(server_default=text("'ru'"))
    password_hash: Mapped[str | None] = mapped_column(deferred=True)
    created_at: Mapped[WrittenAt]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "email"),
        check("customer_email_check", "email = lower(email)"),
        check("customer_locale_check", "locale IN ('ru', 'en')"),
        Index(
            "customer_words",
            text("to_tsvector('simple'::regconfig, (name || ' '::text) || email)"),
            postgresql_using="gin",
        ),
    )


class StaffMember(Base):
    """Somebody who works for the studio."""

    __tablename__ = "staff_member"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(deferred=True)
    created_at: Mapped[WrittenAt]
    locale: Mapped[str] = mapped_column(server_default=text("'ru'"))
    deactivated_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "email"),
        check("staff_member_email_check", "email = lower(email)"),
        check("staff_member_role_check", _ROLE_LISTED),
        check("staff_member_locale_check", "locale IN ('ru', 'en')"),
    )


class Session(Base):
    """One token, stored as its hash.

    `kind` refresh is a customer's: the tokens of one sign-in share `family_id`. Staff's are browser, one for
    each sign-in, and token, one for each program that was given one; its `label` says which.
    """

    __tablename__ = "session"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    customer_id: Mapped[UUID | None]
    staff_member_id: Mapped[UUID | None]
    family_id: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    kind: Mapped[str] = mapped_column(server_default=text("'refresh'"))
    label: Mapped[str | None]

    __table_args__ = (
        check("session_check", "num_nonnulls(customer_id, staff_member_id) = 1"),
        check("session_kind_check", "kind IN ('refresh', 'browser', 'token')"),
        check("session_check1", "(kind = 'refresh') = (customer_id IS NOT NULL)"),
        check("session_check2", "(kind = 'token') = (label IS NOT NULL)"),
        Index(
            "session_staff_member",
            "staff_member_id",
            "id",
            postgresql_where=text("staff_member_id IS NOT NULL"),
        ),
        tenant_key("customer_id", "customer"),
        tenant_key("staff_member_id", "staff_member"),
        Index("session_family", "family_id"),
    )


class Invitation(Base):
    """A link with which somebody becomes a staff member. `invited_by` is a principal: staff or the CLI."""

    __tablename__ = "invitation"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    email: Mapped[str]
    role: Mapped[str]
    invited_by: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        check("invitation_email_check", "email = lower(email)"),
        check("invitation_role_check", _ROLE_LISTED),
    )


class SignInFailure(Base):
    """How often signing in has failed lately, for one hashed name or address."""

    __tablename__ = "sign_in_failure"

    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"), primary_key=True)
    subject_hash: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    window_ends_at: Mapped[datetime]

    __table_args__ = (check("sign_in_failure_failures_check", "failures > 0"),)


class CustomerNote(Base):
    """What a staff member wrote down about a customer. Append-only."""

    __tablename__ = "customer_note"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    staff_member_id: Mapped[UUID]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("customer_id", "customer"),
        tenant_key("staff_member_id", "staff_member"),
        Index("customer_note_customer", "customer_id", "id"),
    )
