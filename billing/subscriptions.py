"""The subscription: a plan that a customer has, from its first invoice to its end."""

from kit.machine import NOWHERE, Machine, Transition

TABLE: list[Transition] = [
    {"trigger": "create", "source": NOWHERE, "dest": "incomplete"},
    {"trigger": "activate", "source": "incomplete", "dest": "active"},
    # Another price from the next period on; what was paid for runs to its end.
    {"trigger": "change", "source": "active", "dest": "active"},
    {"trigger": "cancel", "source": ["incomplete", "active"], "dest": "canceled"},
]

SUBSCRIPTION = Machine("subscription", ["incomplete", "active", "canceled"], TABLE)
