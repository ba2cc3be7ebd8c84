"""The rows of bookings: who wants a hall when, who has it, and the halls and extras that are lent.

As in `rows`, fields are the columns. Of occupancies and uses of extras nothing changes but what
`CHANGING` says: a booking that moves gives its time back and takes another.
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from booking.rules.machine import BOOKING
from kit.machine import Machine
from state_updater.columns import BigInt, Bytes, Instant, Integer, Json, SmallInt, Text, Uuid


@dataclass(slots=True)
class Booking:
    TABLE: ClassVar[str] = "booking"
    MACHINE: ClassVar[Machine] = BOOKING
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

    id: Uuid
    studio_id: Uuid
    customer_id: Uuid
    hall_id: Uuid
    state: Text
    version: Integer
    head_hash: Bytes
    starts_at: Instant
    ends_at: Instant
    people: Integer
    currency: Text
    total_minor: BigInt
    lines: Json
    terms: Json
    refund_percent_max: SmallInt
    payment: Text | None
    origin: Text
    hold_expires_at: Instant
    created_at: Instant
    updated_at: Instant


@dataclass(slots=True)
class Occupancy:
    """A hall is taken, for a booking widened by the hall's buffers. `note` is that of a blackout."""

    TABLE: ClassVar[str] = "occupancy"
    CHANGING: ClassVar[tuple[str, ...]] = ("kind", "released_at")

    id: Uuid
    studio_id: Uuid
    hall_id: Uuid
    kind: Text
    booking_id: Uuid | None
    starts_at: Instant
    ends_at: Instant
    note: Text
    created_at: Instant
    released_at: Instant | None


@dataclass(slots=True)
class ExtraUse:
    """So many of an extra are out with a booking."""

    TABLE: ClassVar[str] = "extra_use"
    CHANGING: ClassVar[tuple[str, ...]] = ("released_at",)

    id: Uuid
    studio_id: Uuid
    extra_id: Uuid
    booking_id: Uuid
    quantity: Integer
    starts_at: Instant
    ends_at: Instant
    created_at: Instant
    released_at: Instant | None


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
