"""Studios, their clocks, and the people in them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Currency, JsonObject, Key, Long, WrittenAt, check, tenant_key


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

    __table_args__ = (
        UniqueConstraint("id", "currency"),
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
    password_hash: Mapped[str | None]
    created_at: Mapped[WrittenAt]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "email"),
        check("customer_email_check", "email = lower(email)"),
        check("customer_locale_check", "locale IN ('ru', 'en')"),
    )


class StaffMember(Base):
    """Somebody who works for the studio."""

    __tablename__ = "staff_member"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[WrittenAt]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "email"),
        check("staff_member_email_check", "email = lower(email)"),
        check("staff_member_role_check", "role IN ('owner', 'manager', 'support', 'ops')"),
    )


class Session(Base):
    """One refresh token; the tokens of one sign-in share `family_id`."""

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

    __table_args__ = (
        check("session_check", "num_nonnulls(customer_id, staff_member_id) = 1"),
        tenant_key("customer_id", "customer"),
        tenant_key("staff_member_id", "staff_member"),
        Index("session_family", "family_id"),
    )
