"""The shapes of the answers about halls, free time, quotes and bookings; the OpenAPI document shows them.

Times are in the studio's offset where they are made for showing free time, else in UTC. Sums are in the
currency's minor units (kopecks for RUB).
"""

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from bus.messages import CancellationTier, ExtraWanted, InvoiceLine
from web.views import View

HALL_ID: Final = "01934b1e-7a40-7c2e-8d8e-3d1f3a9b2c11"
LOCAL_TIME: Final = "2026-11-23T18:00:00+03:00"
QUOTE: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJiaWxsYnVzIn0.c2lnbmF0dXJl"

At = Annotated[datetime, Field(examples=[LOCAL_TIME])]
HallId = Annotated[UUID, Field(examples=[HALL_ID])]


class ExtraView(View):
    """What is lent beside the hall, per hour or once per booking. `stock`: how many there are in all, at any
    one time; null for as many as are wanted."""

    id: UUID
    name: Annotated[str, Field(examples=["Стойка с софтбоксом"])]
    unit: Literal["hour", "booking"]
    amount_minor: Annotated[int, Field(examples=[30000])]
    stock: int | None


class OpenHoursView(View):
    """Open from `opens` until `closes` by the studio's clock on these weekdays, 1 is Monday. With a first or
    a last day, both inclusive, it is a season's rule: on a date that one covers, only such rules count."""

    weekdays: list[int]
    opens: Annotated[str, Field(examples=["10:00"])]
    closes: Annotated[str, Field(examples=["24:00"])]
    first_day: date | None
    last_day: date | None


class HallView(View):
    """A room whose time is sold. A time begins and ends on its step, and lasts between the two limits;
    `price_from_minor` is the lowest price of an hour, null while none is in force."""

    id: HallId
    name: Annotated[str, Field(examples=["Большой зал"])]
    description: str
    capacity: Annotated[int, Field(examples=[20])]
    equipment: list[str]
    hours: list[OpenHoursView]
    step_minutes: int
    minutes_min: int
    minutes_max: int
    notice_minutes: int
    horizon_days: int
    timezone: Annotated[str, Field(examples=["Europe/Moscow"])]
    currency: Annotated[str, Field(examples=["RUB"])]
    price_from_minor: int | None
    extras: list[ExtraView]


class HallListView(View):
    items: list[HallView]


class BandView(View):
    """A part of free time in which an hour costs the same."""

    starts_at: At
    ends_at: At
    name: Annotated[str, Field(examples=["Evening"])]
    per_hour_minor: Annotated[int, Field(examples=[250000])]


class FreeView(View):
    """A run of free time: whatever fits in, on the hall's step, can be booked. Cut at the window's ends."""

    starts_at: At
    ends_at: At
    bands: list[BandView]


class HallAvailabilityView(View):
    """`starts`: where a booking of the asked duration may begin; only with a duration."""

    hall_id: HallId
    free: list[FreeView]
    starts: list[At] | None = None


class AvailabilityView(View):
    timezone: Annotated[str, Field(examples=["Europe/Moscow"])]
    halls: list[HallAvailabilityView]


class QuoteView(View):
    """What a time costs, line by line, and the terms of canceling it. `quote` is good until `valid_until` for
    the one who asked; it reserves nothing."""

    quote: Annotated[str, Field(examples=[QUOTE])]
    valid_until: datetime
    hall_id: HallId
    starts_at: At
    ends_at: At
    people: int
    extras: list[ExtraWanted]
    lines: list[InvoiceLine]
    total_minor: Annotated[int, Field(examples=[500000])]
    currency: Annotated[str, Field(examples=["RUB"])]
    terms: list[CancellationTier]


class BookingView(View):
    """A time in a hall. `invoice_id`: the one to pay, else the last. `paid_minor`, `refunded_minor` and
    `due_minor` are those of its invoices; what is paid on site is not among them."""

    id: UUID
    hall_id: HallId
    hall_name: str
    state: Literal["held", "awaiting_payment", "confirmed", "completed", "no_show", "canceled", "expired"]
    starts_at: At
    ends_at: At
    people: int
    extras: list[ExtraWanted]
    lines: list[InvoiceLine]
    total_minor: int
    currency: Annotated[str, Field(examples=["RUB"])]
    terms: list[CancellationTier]
    payment: Literal["online", "on_site"] | None
    hold_expires_at: datetime
    invoice_id: UUID | None
    paid_minor: int
    refunded_minor: int
    due_minor: int
    allowed_actions: list[Literal["check_out_online", "check_out_on_site", "reschedule", "cancel"]]
    created_at: datetime


class BookingListView(View):
    """`next_cursor` goes into `cursor` for the page after this one; null when this is the last."""

    items: list[BookingView]
    next_cursor: UUID | None


class CancellationView(View):
    """What canceling now would give back, and what the studio would keep."""

    refund_percent: Annotated[int, Field(examples=[50])]
    refund_minor: Annotated[int, Field(examples=[250000])]
    kept_minor: Annotated[int, Field(examples=[250000])]
