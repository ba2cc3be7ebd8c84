"""Every event that may travel: what has happened, in the past, named as the integrators' documents name it.

Events carry ids and amounts only: no name, no address. As commands, they are versioned and known by name.
"""

from typing import ClassVar, Literal
from uuid import UUID

from bus.messages import Currency, Instant, Message, ShortText, decode


class Event(Message):
    """Something that has happened to an aggregate of a customer (None: money that nobody is known for).

    `occurred_at` is by the studio's clock. `subject` names the field that says which aggregate it tells of.
    """

    subject: ClassVar[str]

    customer_id: UUID | None
    occurred_at: Instant

    @property
    def subject_id(self) -> UUID:
        """The aggregate that it tells of."""
        found: UUID = getattr(self, self.subject)
        return found


class SubscriptionEvent(Event):
    subject = "subscription_id"

    subscription_id: UUID


class InvoiceEvent(Event):
    subject = "invoice_id"

    invoice_id: UUID
    subscription_id: UUID | None
    total_minor: int
    paid_minor: int
    refunded_minor: int
    currency: Currency


class PaymentEvent(Event):
    subject = "attempt_id"

    attempt_id: UUID
    invoice_id: UUID
    amount_minor: int
    currency: Currency


class RefundEvent(Event):
    subject = "refund_id"

    refund_id: UUID
    invoice_id: UUID | None
    amount_minor: int
    currency: Currency


class UnappliedEvent(Event):
    subject = "payment_id"

    payment_id: UUID
    amount_minor: int
    currency: Currency
    reason: ShortText


class BookingEvent(Event):
    """What is paid for it and given back is told by the events of its invoices and refunds."""

    subject = "booking_id"

    booking_id: UUID
    hall_id: UUID
    starts_at: Instant
    ends_at: Instant
    total_minor: int
    currency: Currency


class CommandParked(Event):
    """A command could not be applied and waits for a person."""

    subject = "command_id"

    command_id: UUID
    command_kind: ShortText
    code: ShortText


class NotificationFailed(Event):
    """A message to a customer was given up."""

    subject = "notification_id"

    notification_id: UUID
    notification_kind: ShortText
    channel: Literal["email", "sms"]
    code: ShortText


EVENTS: dict[str, type[Event]] = {
    "subscription.created": SubscriptionEvent,
    "subscription.activated": SubscriptionEvent,
    "subscription.changed": SubscriptionEvent,
    "subscription.renewed": SubscriptionEvent,
    "subscription.ending": SubscriptionEvent,
    "subscription.canceled": SubscriptionEvent,
    "invoice.opened": InvoiceEvent,
    "invoice.paid": InvoiceEvent,
    "invoice.voided": InvoiceEvent,
    "invoice.expired": InvoiceEvent,
    "invoice.refunded": InvoiceEvent,
    "payment.succeeded": PaymentEvent,
    "payment.failed": PaymentEvent,
    "payment.unapplied": UnappliedEvent,
    "refund.requested": RefundEvent,
    "refund.rejected": RefundEvent,
    "refund.succeeded": RefundEvent,
    "refund.declined": RefundEvent,
    "booking.created": BookingEvent,
    "booking.confirmed": BookingEvent,
    "booking.cancelled": BookingEvent,
    "booking.expired": BookingEvent,
    "booking.rescheduled": BookingEvent,
    "booking.completed": BookingEvent,
    "booking.no_show": BookingEvent,
    "command.parked": CommandParked,
    "notification.failed": NotificationFailed,
}
# Those that tell of a fault of ours or of somebody we rely on, not of the course of business.
ERRORS = frozenset({"command.parked", "notification.failed"})


def decode_event(kind: str, schema_version: int, body: bytes) -> Event:
    """Raises InvalidMessage, as `decode_command`."""
    return decode(EVENTS, kind, schema_version, body)
