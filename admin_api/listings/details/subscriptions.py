"""The page of a subscription: its path, its invoices, and what happened to it."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select

from admin_api.desk import Desk
from admin_api.listings.billing import INVOICES, SUBSCRIPTIONS, InvoiceRow, SubscriptionRow
from admin_api.listings.details.parts import parts_of
from admin_api.queries.timeline import Moment, Step, path_of, timeline_of
from billing.subscriptions import SUBSCRIPTION
from models.tables import Invoice, Subscription


class SubscriptionDetail(SubscriptionRow):
    """`metadata`: what its maker wrote down with it."""

    metadata: dict[str, JsonValue]
    allowed_triggers: list[str]
    path: list[Step]
    invoices: Sequence[InvoiceRow]
    timeline: list[Moment]


def subscription_detail(desk: Desk, subscription_id: UUID) -> SubscriptionDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = SUBSCRIPTIONS.get(session, subscription_id)
        assert isinstance(head, SubscriptionRow)
        connection = session.connection()
        facts = select(Subscription.own_facts).where(Subscription.id == subscription_id)
        return SubscriptionDetail.model_validate(
            {
                **dict(head),
                "metadata": session.scalars(facts).one(),
                "allowed_triggers": list(SUBSCRIPTION.triggers_from(head.state)),
                "path": path_of(connection, subscription_id),
                "invoices": parts_of(
                    desk, session, INVOICES, InvoiceRow, Invoice.subscription_id == subscription_id
                ),
                "timeline": timeline_of(connection, [subscription_id]),
            }
        )
