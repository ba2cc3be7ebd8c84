"""The subscription: a plan that a customer has, from its first invoice to its end."""

from kit.machine import NOWHERE, Machine, Transition

TABLE: list[Transition] = [
    {"trigger": "create", "source": NOWHERE, "dest": "incomplete"},
    {"trigger": "activate", "source": "incomplete", "dest": "active"},
    {"trigger": "cancel", "source": ["incomplete", "active"], "dest": "canceled"},
]

SUBSCRIPTION = Machine("subscription", ["incomplete", "active", "canceled"], TABLE)
