"""Halls, what their time costs, and who has it. `booking.state` moves only through `state_updater`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from models.base import (
    AmountMinor,
    Base,
    Currency,
    JsonList,
    JsonObject,
    Key,
    Small,
    WrittenAt,
    check,
    studio_currency,
    tenant_key,
)

_LIVE = text("released_at IS NULL")


class Hall(Base):
    """A room whose time is sold. `hours` says when it is open, by weekday and season."""

    __tablename__ = "hall"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    capacity: Mapped[int]
    equipment: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    hours: Mapped[JsonList]
    step_minutes: Mapped[int] = mapped_column(server_default=text("15"))
    minutes_min: Mapped[int] = mapped_column(server_default=text("60"))
    minutes_max: Mapped[int] = mapped_column(server_default=text("720"))
    buffer_before_minutes: Mapped[int] = mapped_column(server_default=text("0"))
    buffer_after_minutes: Mapped[int] = mapped_column(server_default=text("0"))
    notice_minutes: Mapped[int] = mapped_column(server_default=text("60"))
    horizon_days: Mapped[int] = mapped_column(server_default=text("90"))
    position: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[WrittenAt]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "name"),
        check("hall_capacity_check", "capacity BETWEEN 1 AND 10000"),
        check("hall_hours_check", "jsonb_typeof(hours) = 'array'"),
        check("hall_step_minutes_check", "step_minutes IN (5, 10, 15, 20, 30, 60)"),
        check("hall_minutes_min_check", "minutes_min > 0"),
        check("hall_check", "minutes_max BETWEEN minutes_min AND 1440"),
        check("hall_buffer_before_minutes_check", "buffer_before_minutes BETWEEN 0 AND 240"),
        check("hall_buffer_after_minutes_check", "buffer_after_minutes BETWEEN 0 AND 240"),
        check("hall_notice_minutes_check", "notice_minutes BETWEEN 0 AND 43200"),
        check("hall_horizon_days_check", "horizon_days BETWEEN 1 AND 730"),
        check("hall_check1", "minutes_min % step_minutes = 0"),
        check("hall_check2", "minutes_max % step_minutes = 0"),
    )


class Tariff(Base):
    """One version of what a hall's time costs. Append-only: a change is a new version."""

    __tablename__ = "tariff"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    hall_id: Mapped[UUID]
    version: Mapped[int]
    currency: Mapped[Currency]
    per_hour_minor: Mapped[AmountMinor]
    rates: Mapped[JsonList] = mapped_column(server_default=text("'[]'"))
    duration_tiers: Mapped[JsonList] = mapped_column(server_default=text("'[]'"))
    people_included: Mapped[int] = mapped_column(server_default=text("10000"))
    per_person_hour_minor: Mapped[AmountMinor] = mapped_column(server_default=text("0"))
    rounding_minor: Mapped[int] = mapped_column(server_default=text("100"))
    effective_from: Mapped[datetime]
    created_at: Mapped[WrittenAt]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("hall_id", "version"),
        tenant_key("hall_id", "hall"),
        studio_currency(),
        check("tariff_version_check", "version > 0"),
        check("tariff_per_hour_minor_check", "per_hour_minor > 0"),
        check("tariff_rates_check", "jsonb_typeof(rates) = 'array'"),
        check("tariff_duration_tiers_check", "jsonb_typeof(duration_tiers) = 'array'"),
        check("tariff_people_included_check", "people_included > 0"),
        check("tariff_per_person_hour_minor_check", "per_person_hour_minor >= 0"),
        check("tariff_rounding_minor_check", "rounding_minor BETWEEN 1 AND 100000"),
    )


class Extra(Base):
    """What is lent beside a hall, of one hall or of the whole studio. No stock: as many as are wanted."""

    __tablename__ = "extra"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    hall_id: Mapped[UUID | None]
    name: Mapped[str]
    unit: Mapped[str]
    amount_minor: Mapped[AmountMinor]
    stock: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[WrittenAt]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "name"),
        tenant_key("hall_id", "hall"),
        check("extra_unit_check", "unit IN ('hour', 'booking')"),
        check("extra_amount_minor_check", "amount_minor > 0"),
        check("extra_stock_check", "stock BETWEEN 0 AND 10000"),
    )


class Booking(Base):
    """A customer's time in a hall. `lines` and `terms` are those of its quote: what it promised holds."""

    __tablename__ = "booking"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    hall_id: Mapped[UUID]
    state: Mapped[str]
    version: Mapped[int]
    head_hash: Mapped[bytes]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    people: Mapped[int]
    currency: Mapped[Currency]
    total_minor: Mapped[AmountMinor]
    lines: Mapped[JsonList]
    terms: Mapped[JsonList]
    refund_percent_max: Mapped[Small] = mapped_column(server_default=text("100"))
    payment: Mapped[str | None]
    origin: Mapped[str]
    hold_expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    own_facts: Mapped[JsonObject] = mapped_column("metadata", server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("customer_id", "customer"),
        tenant_key("hall_id", "hall"),
        studio_currency(),
        check("booking_people_check", "people > 0"),
        check("booking_total_minor_check", "total_minor > 0"),
        check("booking_lines_check", "jsonb_typeof(lines) = 'array'"),
        check("booking_terms_check", "jsonb_typeof(terms) = 'array'"),
        check("booking_refund_percent_max_check", "refund_percent_max BETWEEN 0 AND 100"),
        check("booking_payment_check", "payment IN ('online', 'on_site')"),
        check("booking_origin_check", "origin IN ('customer', 'staff')"),
        check("booking_check", "ends_at > starts_at"),
        check("booking_check1", "(payment IS NULL) = (state = 'held') OR state IN ('canceled', 'expired')"),
        Index("booking_customer", "customer_id", "id"),
        Index("booking_studio", "studio_id", "starts_at", "id"),
        Index("booking_hall", "hall_id", "starts_at"),
        Index("booking_state", "studio_id", "state", "id"),
        Index(
            "booking_hold",
            "hold_expires_at",
            "id",
            postgresql_where=text("state IN ('held', 'awaiting_payment')"),
        ),
        Index("booking_end", "ends_at", "id", postgresql_where=text("state = 'confirmed'")),
    )


class Occupancy(Base):
    """Who has a hall when. Live until it is released; two live ones of a hall never overlap.

    A booking's time is widened by the hall's buffers. `created_at` and `released_at` are by the database's
    clock.
    """

    __tablename__ = "occupancy"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    hall_id: Mapped[UUID]
    kind: Mapped[str]
    booking_id: Mapped[UUID | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    during: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE(), Computed("tstzrange(starts_at, ends_at, '[)')", persisted=True)
    )
    note: Mapped[str] = mapped_column(server_default=text("''"))
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        tenant_key("hall_id", "hall"),
        tenant_key("booking_id", "booking"),
        check("occupancy_kind_check", "kind IN ('hold', 'booking', 'blackout', 'external')"),
        check("occupancy_check", "ends_at > starts_at"),
        check("occupancy_check1", "released_at >= created_at"),
        check("occupancy_check2", "(kind IN ('hold', 'booking')) = (booking_id IS NOT NULL)"),
        ExcludeConstraint(("hall_id", "="), ("during", "&&"), name="occupancy_never_twice", where=_LIVE),
        Index("occupancy_booking", "booking_id", unique=True, postgresql_where=_LIVE),
        Index(
            "occupancy_hall",
            "hall_id",
            "ends_at",
            "starts_at",
            postgresql_include=["studio_id"],
            postgresql_where=_LIVE,
        ),
        Index("occupancy_of_booking", "booking_id", postgresql_where=text("booking_id IS NOT NULL")),
        Index(
            "occupancy_blackout",
            "studio_id",
            "starts_at",
            postgresql_where=text("kind = 'blackout' AND released_at IS NULL"),
        ),
    )


class ExtraUse(Base):
    """Extras that a booking has for its time, until they are released."""

    __tablename__ = "extra_use"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    extra_id: Mapped[UUID]
    booking_id: Mapped[UUID]
    quantity: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_key("extra_id", "extra"),
        tenant_key("booking_id", "booking"),
        check("extra_use_quantity_check", "quantity > 0"),
        check("extra_use_check", "ends_at > starts_at"),
        check("extra_use_check1", "released_at >= created_at"),
        Index("extra_use_booking", "booking_id", "extra_id", unique=True, postgresql_where=_LIVE),
        Index("extra_use_of_booking", "booking_id"),
        Index("extra_use_extra", "extra_id", "ends_at", postgresql_where=_LIVE),
    )
