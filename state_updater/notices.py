"""Which steps the outside world is told of, and in which words. Ids and amounts only."""

from typing import Any

from state_updater.booking_rows import Booking
from state_updater.rows import Aggregate, Attempt, Invoice, Refund, Subscription

# (machine, trigger) -> event. What is not here stays inside. Not by the state that was reached: a changed
# subscription is as active as one that was activated.
EVENT_OF_STEP: dict[tuple[str, str], str] = {
    ("subscription", "create"): "subscription.created",
    ("subscription", "activate"): "subscription.activated",
    ("subscription", "change"): "subscription.changed",
    ("subscription", "renew"): "subscription.renewed",
    ("subscription", "let_end"): "subscription.ending",
    ("subscription", "cancel"): "subscription.canceled",
    ("invoice", "open"): "invoice.opened",
    ("invoice", "pay"): "invoice.paid",
    ("invoice", "void"): "invoice.voided",
    ("invoice", "expire"): "invoice.expired",
    ("invoice", "refund"): "invoice.refunded",
    ("payment", "succeed"): "payment.succeeded",
    ("payment", "decline"): "payment.failed",
    ("refund", "request"): "refund.requested",
    ("refund", "reject"): "refund.rejected",
    ("refund", "succeed"): "refund.succeeded",
    ("refund", "record"): "refund.succeeded",
    ("refund", "decline"): "refund.declined",
    ("booking", "hold"): "booking.created",
    ("booking", "confirm"): "booking.confirmed",
    ("booking", "reinstate"): "booking.confirmed",
    ("booking", "expire"): "booking.expired",
    ("booking", "reschedule"): "booking.rescheduled",
    ("booking", "complete"): "booking.completed",
    ("booking", "mark_no_show"): "booking.no_show",
    ("booking", "cancel"): "booking.cancelled",
}


def notice_of(row: Aggregate, trigger: str) -> tuple[str, dict[str, Any]] | None:
    """The event that tells of the step `row` has just made, and its facts; None if nobody is told."""
    name = EVENT_OF_STEP.get((row.MACHINE.name, trigger))
    if name is None:
        return None
    match row:
        case Subscription():
            return name, {"subscription_id": row.id}
        case Booking():
            return name, {
                "booking_id": row.id,
                "hall_id": row.hall_id,
                "starts_at": row.starts_at,
                "ends_at": row.ends_at,
                "total_minor": row.total_minor,
                "currency": row.currency,
            }
        case Invoice():
            return name, {
                "invoice_id": row.id,
                "subscription_id": row.subscription_id,
                "total_minor": row.total_minor,
                "paid_minor": row.paid_minor,
                "refunded_minor": row.refunded_minor,
                "currency": row.currency,
            }
        case Attempt():
            return name, {
                "attempt_id": row.id,
                "invoice_id": row.invoice_id,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
            }
        case Refund():
            return name, {
                "refund_id": row.id,
                "invoice_id": row.invoice_id,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
            }
