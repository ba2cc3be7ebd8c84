"""What a studio sells, and the table of its machines' transitions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    AmountMinor,
    Base,
    Currency,
    JsonObject,
    Key,
    WrittenAt,
    check,
    studio_currency,
    tenant_key,
)


class Plan(Base):
    """Something a customer can subscribe to."""

    __tablename__ = "plan"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    code: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[WrittenAt]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))

    __table_args__ = (UniqueConstraint("studio_id", "id"), UniqueConstraint("studio_id", "code"))


class Price(Base):
    """One version of what a plan costs per period. Append-only: a change is a new version."""

    __tablename__ = "price"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    plan_id: Mapped[UUID]
    version: Mapped[int]
    amount_minor: Mapped[AmountMinor]
    currency: Mapped[Currency]
    period_unit: Mapped[str]
    period_count: Mapped[int]
    effective_from: Mapped[datetime]
    created_at: Mapped[WrittenAt]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("plan_id", "period_unit", "period_count", "version"),
        tenant_key("plan_id", "plan"),
        studio_currency(),
        check("price_version_check", "version > 0"),
        check("price_amount_minor_check", "amount_minor > 0"),
        check("price_period_unit_check", "period_unit IN ('day', 'week', 'month', 'year')"),
        check("price_period_count_check", "period_count BETWEEN 1 AND 366"),
    )


class MachineTransition(Base):
    """A step that the trigger on the machine's table lets pass; from `""` an aggregate begins."""

    __tablename__ = "machine_transition"

    machine: Mapped[str] = mapped_column(primary_key=True)
    from_state: Mapped[str] = mapped_column(primary_key=True)
    to_state: Mapped[str] = mapped_column(primary_key=True)
