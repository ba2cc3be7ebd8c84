"""Which steps the outside world is told of, and in which words. Ids and amounts only."""

from typing import Any

from state_updater.rows import Aggregate, Attempt, Invoice, Refund, Subscription

# (machine, state that was reached) -> event. What is not here stays inside.
EVENT_OF_STATE: dict[tuple[str, str], str] = {
    ("subscription", "incomplete"): "subscription.created",
    ("subscription", "active"): "subscription.activated",
    ("subscription", "canceled"): "subscription.canceled",
    ("invoice", "open"): "invoice.opened",
    ("invoice", "paid"): "invoice.paid",
    ("invoice", "void"): "invoice.voided",
    ("invoice", "expired"): "invoice.expired",
    ("invoice", "partially_refunded"): "invoice.refunded",
    ("invoice", "refunded"): "invoice.refunded",
    ("payment", "succeeded"): "payment.succeeded",
    ("payment", "declined"): "payment.failed",
    ("refund", "requested"): "refund.requested",
    ("refund", "rejected"): "refund.rejected",
    ("refund", "succeeded"): "refund.succeeded",
    ("refund", "declined"): "refund.declined",
}


def notice_of(row: Aggregate) -> tuple[str, dict[str, Any]] | None:
    """The event that tells of the state `row` has just reached, and its facts; None if nobody is told."""
    name = EVENT_OF_STATE.get((row.MACHINE.name, row.state))
    if name is None:
        return None
    match row:
        case Subscription():
            return name, {"subscription_id": row.id}
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
