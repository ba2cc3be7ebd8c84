"""How things stand for one message when it is to be sent. Filled by `notifications.looking`. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from booking.rules.terms import Tier
from notifications.money import Money
from notifications.occasions import Slot

# What a message is about: the kind of its subject.
About = Literal["subscription", "invoice", "attempt", "refund", "payment", "booking"]


@dataclass(frozen=True, slots=True)
class Studio:
    """Who writes. `now` is by its clock, `clock_offset` what that is ahead of the world's."""

    id: UUID
    name: str
    host: str
    timezone: str
    now: datetime
    clock_offset: timedelta


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is written to."""

    id: UUID
    email: str = field(repr=False)
    name: str = field(repr=False)
    locale: Literal["ru", "en"]


@dataclass(frozen=True, slots=True)
class SubscriptionNow:
    id: UUID
    state: str
    plan_name: str
    is_ending: bool
    period_start: datetime | None
    period_end: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """`money` is that of all `quantity` together."""

    description: str
    quantity: int
    money: Money


@dataclass(frozen=True, slots=True)
class InvoiceNow:
    """`period_start` is set on invoices that renew, `lines` on those outside any subscription: the first of
    `line_count`."""

    id: UUID
    state: str
    number: str | None
    total: Money
    due: Money
    expires_at: datetime
    period_start: datetime | None
    money_in_flight: bool
    is_told_by_reminder: bool
    lines: tuple[Line, ...] = ()
    line_count: int = 0


@dataclass(frozen=True, slots=True)
class PaymentNow:
    """Received money; `is_applied`: it has paid its invoice; `is_going_back`: all or some of it."""

    money: Money
    card_mask: str | None
    received_at: datetime
    is_applied: bool
    is_going_back: bool = False


@dataclass(frozen=True, slots=True)
class AttemptNow:
    state: str
    money: Money
    has_newer: bool


@dataclass(frozen=True, slots=True)
class RefundNow:
    state: str
    money: Money


@dataclass(frozen=True, slots=True)
class BookingNow:
    """`paid` is without what went back or is going back; `given_back` is what its last step gives back.

    `terms` are as they hold for this booking, the longest first. `was_lost`: its hold had expired when its
    money came. `has_successor`: its customer has another one at that time.
    """

    id: UUID
    state: str
    origin: str
    payment: str | None
    slot: Slot
    hall_name: str
    people: int
    extras: tuple[tuple[str, int], ...]
    total: Money
    paid: Money
    given_back: Money
    hold_expires_at: datetime
    terms: tuple[Tier, ...]
    was_lost: bool
    has_successor: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """What a message may say now. Things that it is not about are None; it was planned `waited` ago."""

    studio: Studio
    customer: Customer
    subscription: SubscriptionNow | None = None
    invoice: InvoiceNow | None = None
    attempt: AttemptNow | None = None
    payment: PaymentNow | None = None
    refund: RefundNow | None = None
    booking: BookingNow | None = None
    # The same kind about the same subject was planned again since.
    has_newer_message: bool = False
    waited: timedelta = timedelta()
