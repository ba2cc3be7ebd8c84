"""Plans messages in the transaction of whoever found the occasion: the events process, or cron.

The same occasion is planned once: ids are derived from it. Nothing is rendered, sent or decided here; whether
a message is still true is looked at when it is due. Only what was planned for a visit, maybe weeks before it,
is withdrawn at once when the booking moves or ends: who looks at what is planned sees what will be sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection

from bus.events import BookingEvent, Event
from kit.clock import Clock, system_clock
from kit.ids import derived_id
from notifications.kinds import KINDS, VISIT_KINDS, Kind
from storage.bookings import find_booking_time
from storage.notifications import Channel, Planned, plan, withdraw

# Events after which a visit will not be as it was planned, and what is then said of its messages.
WITHDRAWING: Final = {
    "booking.rescheduled": "rescheduled",
    "booking.cancelled": "cancelled",
    "booking.no_show": "no_show",
}


@dataclass(frozen=True, slots=True)
class Reminder:
    """A billing period of a subscription ends at `period_end`, `days_before` days from when this is due.

    `renewal`: the next one costs `amount_minor`, and `invoice_id` is its invoice if there is one already.
    `period_end`: it is the last one.
    """

    studio_id: UUID
    customer_id: UUID
    subscription_id: UUID
    kind: Literal["renewal", "period_end"]
    period_end: datetime
    days_before: int
    amount_minor: int | None
    currency: str | None
    invoice_id: UUID | None
    correlation_id: str

    @property
    def occasion(self) -> str:
        return f"{self.period_end.astimezone(UTC).isoformat()}/{self.days_before}"


def plan_for_event(
    connection: Connection,
    event: Event,
    name: str,
    event_id: UUID,
    correlation_id: str,
    *,
    channel: Channel = "email",
    clock: Clock = system_clock,
) -> int:
    """Plans what an event gives occasion to; how many messages were new, 0 for most events.

    Writes in the caller's transaction. Idempotent, by what the event is about and not by its id.
    """
    if event.customer_id is None:
        return 0
    now = clock()
    if isinstance(event, BookingEvent) and name in WITHDRAWING:
        withdraw(connection, event.studio_id, event.booking_id, VISIT_KINDS, WITHDRAWING[name], now)
    facts = event.model_dump(mode="json", exclude={"studio_id", "customer_id"})
    planned = [
        Planned(
            studio_id=event.studio_id,
            customer_id=event.customer_id,
            kind=kind.name,
            channel=channel,
            subject_id=event.subject_id,
            occasion=f"{kind.events[name]}/{event_id}" if kind.is_of_each else kind.events[name],
            facts=facts if kind.visit is None else {**facts, "due_at": due_at},
            causation_id=event_id,
            correlation_id=correlation_id,
            due_at=due_at,
        )
        for kind in KINDS.values()
        if name in kind.events and (due_at := _due_at(connection, kind, event, now)) is not None
    ]
    return plan(connection, planned)


def _due_at(connection: Connection, kind: Kind, event: Event, now: datetime) -> datetime | None:
    """By the world's clock. None: it is too late for it, or the booking is not as the event says any more."""
    if kind.visit is None:
        return now + kind.delay
    if not isinstance(event, BookingEvent):
        raise TypeError(f"{kind.name} is about a visit")
    booking = find_booking_time(connection, event.booking_id)
    told = (event.hall_id, event.starts_at, event.ends_at)
    if booking is None or booking.state != "confirmed" or booking.slot != told:
        return None
    end = event.starts_at if kind.visit.end == "starts_at" else event.ends_at
    due_at = end + kind.visit.after - booking.clock_offset
    return due_at if due_at > now else None


def plan_reminders(
    connection: Connection, reminders: Sequence[Reminder], now: datetime, *, channel: Channel = "email"
) -> int:
    """Plans reminders, due at `now` (the world's clock); how many were new.

    Writes in the caller's transaction. Idempotent by subscription, kind, period end and days before.
    """
    return plan(connection, [_planned(reminder, now, channel) for reminder in reminders])


def _planned(reminder: Reminder, now: datetime, channel: Channel) -> Planned:
    return Planned(
        studio_id=reminder.studio_id,
        customer_id=reminder.customer_id,
        kind=reminder.kind,
        channel=channel,
        subject_id=reminder.subscription_id,
        occasion=reminder.occasion,
        facts={
            "subscription_id": reminder.subscription_id,
            "period_end": reminder.period_end,
            "days_before": reminder.days_before,
            "amount_minor": reminder.amount_minor,
            "currency": reminder.currency,
            "invoice_id": reminder.invoice_id,
        },
        # No command or event caused it: the occasion itself did.
        causation_id=derived_id("reminder", reminder.subscription_id, reminder.kind, reminder.occasion),
        correlation_id=reminder.correlation_id,
        due_at=now,
    )
