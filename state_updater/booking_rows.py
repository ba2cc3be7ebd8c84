"""The rows of bookings: who wants a hall when, who has it, and the halls and extras that are lent.

As in `rows`, fields are named as columns. Of occupancies and uses of extras nothing changes but what
`CHANGING` says: a booking that moves gives its time back and takes another.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from booking.rules.machine import BOOKING
from kit.machine import Machine


@dataclass(slots=True)
class Booking:
    TABLE: ClassVar[str] = "booking"
    MACHINE: ClassVar[Machine] = BOOKING
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "hall_id": "uuid",
        "state": "text",
        "version": "integer",
        "head_hash": "bytea",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "people": "integer",
        "currency": "text",
        "total_minor": "bigint",
        "lines": "jsonb",
        "terms": "jsonb",
        "refund_percent_max": "smallint",
        "payment": "text",
        "origin": "text",
        "hold_expires_at": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = (
        "hall_id",
        "starts_at",
        "ends_at",
        "people",
        "total_minor",
        "lines",
        "refund_percent_max",
        "payment",
    )

    id: UUID
    studio_id: UUID
    customer_id: UUID
    hall_id: UUID
    state: str
    version: int
    head_hash: bytes
    starts_at: datetime
    ends_at: datetime
    people: int
    currency: str
    total_minor: int
    lines: str
    terms: str
    refund_percent_max: int
    payment: str | None
    origin: str
    hold_expires_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Occupancy:
    """A hall is taken, for a booking widened by the hall's buffers. `note` is that of a blackout."""

    TABLE: ClassVar[str] = "occupancy"
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "hall_id": "uuid",
        "kind": "text",
        "booking_id": "uuid",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "note": "text",
        "created_at": "timestamptz",
        "released_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("kind", "released_at")

    id: UUID
    studio_id: UUID
    hall_id: UUID
    kind: str
    booking_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    note: str
    created_at: datetime
    released_at: datetime | None


@dataclass(slots=True)
class ExtraUse:
    """So many of an extra are out with a booking."""

    TABLE: ClassVar[str] = "extra_use"
    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "uuid",
        "studio_id": "uuid",
        "extra_id": "uuid",
        "booking_id": "uuid",
        "quantity": "integer",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "created_at": "timestamptz",
        "released_at": "timestamptz",
    }
    CHANGING: ClassVar[tuple[str, ...]] = ("released_at",)

    id: UUID
    studio_id: UUID
    extra_id: UUID
    booking_id: UUID
    quantity: int
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hall:
    """What decisions need to know of a hall."""

    id: UUID
    studio_id: UUID
    name: str
    is_active: bool
    buffer_before_minutes: int
    buffer_after_minutes: int


@dataclass(frozen=True, slots=True)
class Extra:
    """What decisions need to know of an extra. No `stock`: as many as are wanted."""

    id: UUID
    studio_id: UUID
    hall_id: UUID | None
    is_active: bool
    stock: int | None
