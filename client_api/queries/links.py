"""What a link in a letter is about, as its page shows it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

_SUBSCRIPTION = text("""
    SELECT plan.name AS plan_name, subscription.state, subscription.cancel_at_period_end,
        subscription.current_period_end
    FROM subscription JOIN price ON price.id = subscription.price_id JOIN plan ON plan.id = price.plan_id
    WHERE subscription.id = :subscription_id AND subscription.customer_id = :customer_id
""")
_LOCALE = text("SELECT locale FROM customer WHERE id = :customer_id")


@dataclass(frozen=True, slots=True)
class LinkedSubscription:
    plan_name: str
    state: str
    is_ending: bool
    period_end: datetime | None


def find_linked_subscription(
    connection: Connection, customer_id: UUID, subscription_id: UUID
) -> LinkedSubscription | None:
    row = connection.execute(
        _SUBSCRIPTION, {"subscription_id": subscription_id, "customer_id": customer_id}
    ).one_or_none()
    return LinkedSubscription(*row) if row else None


def find_locale(connection: Connection, customer_id: UUID) -> str | None:
    """The language that a customer chose; None when there is no such customer in this studio."""
    locale: str | None = connection.scalar(_LOCALE, {"customer_id": customer_id})
    return locale
