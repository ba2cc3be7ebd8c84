"""Beginning and ending subscriptions."""

from typing import Any

import orjson

from bus.messages import CancelSubscription, CreateSubscription, InvoiceLine
from kit.errors import InvalidMessage, Refused, TransitionRefused
from state_updater.handlers.invoices import close_unpaid, draw_and_open
from state_updater.rows import Subscription
from state_updater.work import Work


def handle_create_subscription(command: CreateSubscription, work: Work) -> dict[str, Any]:
    customer_id = work.require_customer()
    price = work.get_price(command.price_id)
    if not price.is_available:
        raise Refused("price_not_available", price_id=str(price.id))
    subscription = Subscription(
        id=command.subscription_id,
        studio_id=work.studio.id,
        customer_id=customer_id,
        price_id=price.id,
        state="",
        version=1,
        head_hash=b"",
        current_period_start=None,
        current_period_end=None,
        canceled_at=None,
        created_at=work.now,
        updated_at=work.now,
        metadata=orjson.dumps(command.metadata).decode(),
    )
    work.create(subscription, "create", price_id=price.id)
    line = InvoiceLine(description=price.plan_name, quantity=1, unit_amount_minor=price.amount_minor)
    invoice = draw_and_open(
        work,
        command.invoice_id,
        customer_id,
        [line],
        subscription_id=subscription.id,
        price_id=price.id,
    )
    return {"subscription_id": str(subscription.id), "invoice_id": str(invoice.id)}


def handle_cancel_subscription(command: CancelSubscription, work: Work) -> dict[str, Any]:
    """Canceling before the first payment takes the invoice back too; afterwards it ends the subscription."""
    subscription = work.get_subscription(command.subscription_id)
    if subscription.state == "canceled":
        raise TransitionRefused(machine="subscription", state=subscription.state, trigger="cancel")
    if subscription.state == "incomplete":
        invoice = work.find_invoice(command.invoice_id)
        if invoice is None or invoice.subscription_id != subscription.id:
            # Left open, it could be paid for nothing.
            raise InvalidMessage("ids_disagree", subscription_id=str(subscription.id))
        close_unpaid(work, invoice, "void", subscription)
    else:
        work.step(subscription, "cancel", canceled_at=work.now)
    return {"subscription_id": str(subscription.id)}
