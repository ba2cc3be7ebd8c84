"""Beginning, changing and ending subscriptions."""

from typing import Any
from uuid import UUID

import orjson

from billing.subscriptions import SUBSCRIPTION
from bus.messages import CancelSubscription, ChangeSubscription, CreateSubscription, InvoiceLine
from kit.errors import Refused
from state_updater.handlers.invoices import close_unpaid, draw_and_open
from state_updater.rows import Price, Subscription
from state_updater.work import Work


def handle_create_subscription(command: CreateSubscription, work: Work) -> dict[str, Any]:
    customer_id = work.require_customer()
    price = _get_available_price(work, command.price_id)
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
        cancel_at_period_end=False,
        anchor_at=None,
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


def _get_available_price(work: Work, price_id: UUID) -> Price:
    price = work.get_price(price_id)
    if not price.is_available:
        raise Refused("price_not_available", price_id=str(price.id))
    return price


def handle_change_subscription(command: ChangeSubscription, work: Work) -> dict[str, Any]:
    """The period that runs has been paid for and stays, and so does an invoice that is drawn already; the
    period after that is at the new price."""
    subscription = work.get_subscription(command.subscription_id)
    price = _get_available_price(work, command.price_id)
    if price.id == subscription.price_id:
        raise Refused("price_unchanged", price_id=str(price.id))
    if subscription.cancel_at_period_end:
        raise Refused("subscription_ending", subscription_id=str(subscription.id))
    work.step(subscription, "change", facts={"former_price_id": subscription.price_id}, price_id=price.id)
    return {"subscription_id": str(subscription.id)}


def handle_cancel_subscription(command: CancelSubscription, work: Work) -> dict[str, Any]:
    """Ends a subscription, now or with what is paid for. Either way nothing more is owed for it: the invoice
    that it waits for is taken back, also one that the sender did not know of yet."""
    subscription = work.get_subscription(command.subscription_id)
    trigger = "let_end" if command.at_period_end else "cancel"
    SUBSCRIPTION.require(subscription.state, trigger)
    if command.at_period_end and subscription.cancel_at_period_end:
        return {"subscription_id": str(subscription.id), "unchanged": True}
    for invoice in work.unpaid_invoices(subscription):
        close_unpaid(work, invoice, "void", None)
    if command.at_period_end:
        work.step(subscription, "let_end", cancel_at_period_end=True)
    else:
        work.step(subscription, "cancel", canceled_at=work.now)
    return {"subscription_id": str(subscription.id)}
