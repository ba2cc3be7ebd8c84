"""The billing periods of a subscription, one after another: invoiced ahead, begun when paid, and ended.

The clock sends the commands; what they find decides. A period is invoiced once, whoever asks how often.
"""

from typing import Any

from billing.periods import Period, next_period, period_end
from billing.prices import find_in_force
from billing.subscriptions import SUBSCRIPTION, renewal_invoice_id
from bus.messages import EndSubscription, InvoiceLine, RenewSubscription
from kit.errors import InvalidMessage, Refused
from state_updater.handlers.invoices import draw_and_open
from state_updater.rows import Invoice, Price, Subscription
from state_updater.work import Work


def begin_period(work: Work, subscription: Subscription, invoice: Invoice) -> None:
    """What a paid invoice pays for: the first period, or the one that it renews the subscription for."""
    if invoice.period is not None:
        start, end = invoice.period.start, invoice.period.end
        work.step(
            subscription,
            "renew",
            facts={"invoice_id": invoice.id},
            current_period_start=start,
            current_period_end=end,
        )
        return
    price = work.get_price(subscription.price_id)
    end = period_end(work.now, price.period_unit, price.period_count, work.studio.timezone)
    work.step(
        subscription, "activate", current_period_start=work.now, current_period_end=end, anchor_at=work.now
    )


def handle_renew_subscription(command: RenewSubscription, work: Work) -> dict[str, Any]:
    """The invoice of the next period, at the price that is in force when it begins.

    From then on the subscription is on that version of its price. Idempotent by the invoice's id.
    """
    subscription = work.get_subscription(command.subscription_id)
    if command.invoice_id != renewal_invoice_id(subscription.id, command.period_start):
        raise InvalidMessage("ids_disagree", invoice_id=str(command.invoice_id))
    if work.find_invoice(command.invoice_id) is not None:
        return {"invoice_id": str(command.invoice_id), "unchanged": True}
    price = _price_in_force(command, work, subscription)
    period = _next_period(command, work, subscription, price)
    if price.id != subscription.price_id:
        work.step(subscription, "change", facts={"former_price_id": subscription.price_id}, price_id=price.id)
    invoice = draw_and_open(
        work,
        command.invoice_id,
        subscription.customer_id,
        [InvoiceLine(description=price.plan_name, quantity=1, unit_amount_minor=price.amount_minor)],
        subscription_id=subscription.id,
        price_id=price.id,
        period=period,
    )
    return {"invoice_id": str(invoice.id)}


def _next_period(command: RenewSubscription, work: Work, subscription: Subscription, price: Price) -> Period:
    """The period that is asked for, if it is the next one and is to come at all. Raises Refused."""
    SUBSCRIPTION.require(subscription.state, "renew")
    if subscription.cancel_at_period_end:
        raise Refused("subscription_ending", subscription_id=str(subscription.id))
    end, anchor_at = subscription.current_period_end, subscription.anchor_at
    if end is None or anchor_at is None or end != command.period_start:
        raise Refused("period_moved", current_period_end=str(end))
    return next_period(end, price.period_unit, price.period_count, work.studio.timezone, anchor_at)


def _price_in_force(command: RenewSubscription, work: Work, subscription: Subscription) -> Price:
    versions = work.versions_of(work.get_price(subscription.price_id))
    in_force = find_in_force(versions, command.period_start)
    if in_force is None:
        raise Refused("price_not_available", price_id=str(subscription.price_id))
    return in_force


def handle_end_subscription(command: EndSubscription, work: Work) -> dict[str, Any]:
    """What was paid for is over, and nobody wanted more."""
    subscription = work.get_subscription(command.subscription_id)
    SUBSCRIPTION.require(subscription.state, "cancel")
    end = subscription.current_period_end
    # The database's clock decides, whoever's clock thought it was time.
    if not subscription.cancel_at_period_end or end is None or work.now < end:
        raise Refused("not_due", current_period_end=str(end))
    work.step(subscription, "cancel", canceled_at=work.now)
    return {"subscription_id": str(subscription.id)}
