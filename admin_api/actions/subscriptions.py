"""Subscriptions: begun for a customer, put on another price, ended. Commands all of them."""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from admin_api.actions.action import Action
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import Nothing, PriceId
from admin_api.actions.rows import get_subscription, require_price
from admin_api.desk import Desk
from billing.subscriptions import SUBSCRIPTION, allowed_actions
from bus.messages import CancelSubscription, ChangeSubscription, CreateSubscription
from kit.errors import Refused
from kit.ids import new_id
from storage.catalog import get_calendar, is_for_sale
from storage.customers import require_customer
from storage.invoices import find_open_invoice
from web.commands import Wanted
from web.fields import Body


class NewSubscription(Body):
    """The price that the customer takes; it must be for sale."""

    price_id: PriceId


class NewPrice(Body):
    """The price from the next billing period on."""

    price_id: PriceId


def _require_for_sale(desk: Desk, connection: Connection, price_id: UUID) -> None:
    """Raises NotFound, and Refused for a version that a later one took the place of, or that is to come."""
    require_price(connection, price_id)
    now = get_calendar(connection, desk.studio_id).now(desk.now)
    if not is_for_sale(connection, price_id, now):
        raise Refused("price_not_available", price_id=str(price_id))


def _want_new(desk: Desk, connection: Connection, customer_id: UUID, sent: NewSubscription) -> Wanted:
    require_customer(connection, customer_id)
    _require_for_sale(desk, connection, sent.price_id)
    command = CreateSubscription(
        studio_id=desk.studio_id,
        customer_id=customer_id,
        subscription_id=new_id(),
        invoice_id=new_id(),
        price_id=sent.price_id,
    )
    return Wanted(command, command.subscription_id)


def _want_change(desk: Desk, connection: Connection, subscription_id: UUID, sent: NewPrice) -> Wanted:
    subscription = get_subscription(connection, subscription_id)
    _require_for_sale(desk, connection, sent.price_id)
    command = ChangeSubscription(
        studio_id=desk.studio_id,
        customer_id=subscription.customer_id,
        subscription_id=subscription_id,
        price_id=sent.price_id,
    )
    return Wanted(command, subscription_id)


def _want_end(desk: Desk, connection: Connection, subscription_id: UUID, _sent: Nothing) -> Wanted:
    return _want_cancellation(desk, connection, subscription_id, at_period_end=False)


def _want_end_of_period(desk: Desk, connection: Connection, subscription_id: UUID, _sent: Nothing) -> Wanted:
    return _want_cancellation(desk, connection, subscription_id, at_period_end=True)


def _want_cancellation(
    desk: Desk, connection: Connection, subscription_id: UUID, *, at_period_end: bool
) -> Wanted:
    subscription = get_subscription(connection, subscription_id)
    command = CancelSubscription(
        studio_id=desk.studio_id,
        customer_id=subscription.customer_id,
        subscription_id=subscription_id,
        invoice_id=find_open_invoice(connection, subscription_id),
        at_period_end=at_period_end,
    )
    return Wanted(command, subscription_id)


def _may_change(connection: Connection, subscription_id: UUID) -> bool:
    subscription = get_subscription(connection, subscription_id)
    is_ending: bool = subscription.cancel_at_period_end
    return "change" in SUBSCRIPTION.triggers_from(subscription.state) and not is_ending


def _may_end(connection: Connection, subscription_id: UUID) -> bool:
    return "cancel" in _allowed_actions(connection, subscription_id)


def _may_end_with_period(connection: Connection, subscription_id: UUID) -> bool:
    return "cancel_at_period_end" in _allowed_actions(connection, subscription_id)


def _allowed_actions(connection: Connection, subscription_id: UUID) -> list[str]:
    subscription = get_subscription(connection, subscription_id)
    return allowed_actions(subscription.state, is_ending=subscription.cancel_at_period_end)


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "create_subscription",
        "subscriptions.write",
        "/customers/{subject_id}/subscriptions",
        subject="customers",
        body=NewSubscription,
        want=_want_new,
        summary="Subscribe a customer",
    ),
    command_action(
        "change_subscription",
        "subscriptions.write",
        "/subscriptions/{subject_id}/change",
        subject="subscriptions",
        body=NewPrice,
        want=_want_change,
        is_open=_may_change,
        summary="Another price from the next billing period",
    ),
    command_action(
        "cancel_subscription_at_period_end",
        "subscriptions.write",
        "/subscriptions/{subject_id}/cancel-at-period-end",
        subject="subscriptions",
        body=Nothing,
        want=_want_end_of_period,
        is_open=_may_end_with_period,
        summary="Cancel at the end of the period",
    ),
    command_action(
        "cancel_subscription",
        "subscriptions.write",
        "/subscriptions/{subject_id}/cancel",
        subject="subscriptions",
        body=Nothing,
        want=_want_end,
        is_open=_may_end,
        is_dangerous=True,
        summary="Cancel at once",
    ),
)
