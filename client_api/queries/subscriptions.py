"""A customer's own subscriptions. Somebody else's are as good as absent."""

from uuid import UUID

from sqlalchemy import Connection, Row, text

from billing.subscriptions import allowed_actions
from client_api.views import PriceView, SubscriptionListView, SubscriptionView
from web.problems import not_found
from web.views import Money

# An invoice that came to nothing hides none that was paid: that one has the refund button.
_COLUMNS = """
    SELECT subscription.id, subscription.state, plan.name AS plan_name, price.id AS price_id,
        price.amount_minor, price.currency, price.period_unit, price.period_count, current_period_start,
        current_period_end, cancel_at_period_end, canceled_at, subscription.created_at, subscription.metadata,
        (SELECT invoice.id FROM invoice WHERE invoice.subscription_id = subscription.id
         ORDER BY invoice.state IN ('void', 'expired'), period_start DESC NULLS LAST, invoice.id DESC
         LIMIT 1) AS latest_invoice_id
    FROM subscription JOIN price ON price.id = subscription.price_id JOIN plan ON plan.id = price.plan_id
    WHERE subscription.customer_id = :customer_id
"""
_LIST = text(f"""
    {_COLUMNS} AND (CAST(:state AS text) IS NULL OR subscription.state = :state)
      AND (CAST(:cursor AS uuid) IS NULL OR subscription.id < :cursor)
    ORDER BY subscription.id DESC LIMIT :limit + 1
""")
_GET = text(f"{_COLUMNS} AND subscription.id = :subscription_id")


def list_subscriptions(
    connection: Connection, customer_id: UUID, state: str | None, cursor: UUID | None, limit: int
) -> SubscriptionListView:
    """Newest first, those before `cursor`."""
    row = {"customer_id": customer_id, "state": state, "cursor": cursor, "limit": limit}
    items = [_view(found) for found in connection.execute(_LIST, row)]
    return SubscriptionListView(
        items=items[:limit], next_cursor=items[limit - 1].id if len(items) > limit else None
    )


def get_subscription(connection: Connection, customer_id: UUID, subscription_id: UUID) -> SubscriptionView:
    """Raises Problem 404."""
    row = {"customer_id": customer_id, "subscription_id": subscription_id}
    found = connection.execute(_GET, row).one_or_none()
    if found is None:
        raise not_found()
    return _view(found)


def _view(row: Row[tuple[object, ...]]) -> SubscriptionView:
    return SubscriptionView(
        id=row.id,
        state=row.state,
        plan_name=row.plan_name,
        price=PriceView(
            id=row.price_id,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            period_unit=row.period_unit,
            period_count=row.period_count,
        ),
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        cancel_at_period_end=row.cancel_at_period_end,
        canceled_at=row.canceled_at,
        created_at=row.created_at,
        latest_invoice_id=row.latest_invoice_id,
        metadata=row.metadata,
        allowed_actions=allowed_actions(row.state, is_ending=row.cancel_at_period_end),
    )
