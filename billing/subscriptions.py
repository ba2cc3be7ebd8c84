"""The subscription: a plan that a customer has, from its first invoice to its end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from kit.ids import derived_id_at
from kit.machine import NOWHERE, Machine, Transition

TABLE: list[Transition] = [
    {"trigger": "create", "source": NOWHERE, "dest": "incomplete"},
    {"trigger": "activate", "source": "incomplete", "dest": "active"},
    # Another price from the next period on; what was paid for runs to its end.
    {"trigger": "change", "source": "active", "dest": "active"},
    # The invoice of the next billing period was paid.
    {"trigger": "renew", "source": "active", "dest": "active"},
    # Not renewed any more: what was paid for runs to its end, and the subscription ends with it.
    {"trigger": "let_end", "source": "active", "dest": "active"},
    {"trigger": "cancel", "source": ["incomplete", "active"], "dest": "canceled"},
]

SUBSCRIPTION = Machine("subscription", ["incomplete", "active", "canceled"], TABLE)

# Keys stand in the order of time, and lists rely on it: a renewal stands where it is usually drawn.
_DRAWN_AHEAD = timedelta(days=7)


def renewal_invoice_id(subscription_id: UUID, period_start: datetime) -> UUID:
    """The id of the one invoice that renews a subscription for the period that begins at `period_start`."""
    begins_at = period_start.astimezone(UTC)
    return derived_id_at(begins_at - _DRAWN_AHEAD, "renewal_invoice", subscription_id, begins_at.isoformat())


def allowed_actions(state: str, *, is_ending: bool) -> list[str]:
    """What may be asked for now, in the API's words. `is_ending`: it is to end with its period already."""
    triggers = SUBSCRIPTION.triggers_from(state)
    actions = []
    if "cancel" in triggers:
        actions.append("cancel")
    if "let_end" in triggers and not is_ending:
        actions.append("cancel_at_period_end")
    return actions
