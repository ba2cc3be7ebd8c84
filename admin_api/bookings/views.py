"""What the desk sees of halls and of today, as the JSON API answers it and the pages show it."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from admin_api.dashboards.views import PeriodView
from web.views import Money, View

Kind = Literal["hold", "booking", "blackout", "external"]
Paid = Literal["paid", "on_site", "unpaid"]


class OpenSpan(View):
    """When a hall is open, joined over midnight."""

    starts_at: datetime
    ends_at: datetime


class Taken(View):
    """Somebody has the hall. `starts_at` and `ends_at` are with the hall's buffers, `visit_…` without.

    A blackout and an external calendar's entry have neither booking nor customer; `note` says why.
    """

    occupancy_id: UUID
    kind: Kind
    starts_at: datetime
    ends_at: datetime
    note: str
    booking_id: UUID | None
    state: Annotated[str | None, Field(examples=["confirmed"])]
    visit_starts_at: datetime
    visit_ends_at: datetime
    customer_id: UUID | None
    customer: str | None
    people: int | None
    hold_expires_at: Annotated[datetime | None, Field(description="Of a hold that waits for its money.")]


class HallTime(View):
    """A hall, when it is open and who has it, in their order."""

    hall_id: UUID
    name: str
    is_active: bool
    step_minutes: int
    minutes_min: int
    open: list[OpenSpan]
    taken: list[Taken]


class Timeline(View):
    """All halls on some days. `is_cut`: there is more than the limits let through."""

    period: PeriodView
    as_of: datetime
    halls: list[HallTime]
    is_cut: bool


class Arrival(View):
    """One booking as the desk needs it; `extras` as people read them: `2 × microphone`.

    `paid`: everything is; it will be on site; or it is not, and `due` says how much.
    """

    booking_id: UUID
    state: Annotated[str, Field(examples=["confirmed"])]
    starts_at: datetime
    ends_at: datetime
    hall_id: UUID
    hall: str
    customer_id: UUID
    customer: str
    people: int
    extras: list[str]
    paid: Paid
    due: Money
    hold_expires_at: Annotated[datetime | None, Field(description="Of a hold that waits for its money.")]


class OpenSurcharge(View):
    """A confirmed booking was moved to a dearer time, and the difference is not paid."""

    invoice_id: UUID
    number: str | None
    booking_id: UUID
    customer: str
    hall: str
    starts_at: datetime
    due: Money
    due_until: datetime | None


class LateMoney(View):
    """Money for a booking that was lost before it came: people say what becomes of it."""

    payment_id: UUID
    booking_id: UUID
    state: Annotated[str, Field(examples=["expired"])]
    customer: str
    hall: str
    starts_at: datetime
    received_at: datetime
    remaining: Money


class OwedRefund(View):
    """Money that was promised back (a cancellation, a move, money that came too late), that the provider
    declined to give back, and that is still here: `remaining` is to be asked for again."""

    payment_id: UUID
    booking_id: UUID
    state: Annotated[str, Field(examples=["canceled"])]
    customer: str
    hall: str
    starts_at: datetime
    declined_at: datetime
    remaining: Money


class Misplaced(View):
    """A booking that stands where nothing is sold any more: its hall is closed then, or was given up."""

    booking_id: UUID
    customer: str
    hall: str
    starts_at: datetime
    ends_at: datetime
    reason: Literal["outside_hours", "hall_inactive"]


class ParkedCommand(View):
    """A command about a booking that could not be applied."""

    command_id: UUID
    kind: Annotated[str, Field(examples=["CancelBooking"])]
    parked_at: datetime


class Today(View):
    """What the desk has to do, each list in the order of its urgency and at most TODAY_LIMIT long.

    `parked` is empty for those who do not handle parked commands.
    """

    on: date
    timezone: str
    as_of: datetime
    arrivals: list[Arrival]
    unmarked: list[Arrival]
    waiting: list[Arrival]
    surcharges: list[OpenSurcharge]
    late_money: list[LateMoney]
    owed_refunds: list[OwedRefund]
    misplaced: list[Misplaced]
    parked: list[ParkedCommand]
    limit: int
