"""The refund: money given back, asked for by a customer or staff, or made in the provider's cabinet."""

from datetime import timedelta

from kit.machine import NOWHERE, Machine, Transition

TABLE: list[Transition] = [
    {"trigger": "request", "source": NOWHERE, "dest": "requested"},
    # Made in the provider's cabinet: the money is gone already, so it is a fact and never refused.
    {"trigger": "record", "source": NOWHERE, "dest": "succeeded"},
    {"trigger": "approve", "source": "requested", "dest": "approved"},
    {"trigger": "reject", "source": "requested", "dest": "rejected"},
    {"trigger": "withdraw", "source": ["requested", "approved"], "dest": "withdrawn"},
    {"trigger": "send", "source": "approved", "dest": "sent"},
    {"trigger": "succeed", "source": ["sent", "unknown", "declined"], "dest": "succeeded"},
    {"trigger": "decline", "source": ["sent", "unknown"], "dest": "declined"},
    {"trigger": "lose_answer", "source": "sent", "dest": "unknown"},
]

REFUND = Machine(
    "refund",
    ["requested", "approved", "rejected", "withdrawn", "sent", "unknown", "succeeded", "declined"],
    TABLE,
)

# In these the sum is reserved: nobody else may give it back.
RESERVING = frozenset({"requested", "approved", "sent", "unknown"})
# The money is gone, or is to go.
GOING_BACK = RESERVING | {"succeeded"}
# Nobody has decided on these, or they have not gone out: a refund made elsewhere takes their place.
WITHDRAWABLE = frozenset({"requested", "approved"})

# For so long an unknown refund may still be sent again under its request id; then people may say what they
# see at the provider.
SEEN_AFTER = timedelta(hours=1)

TRIGGER_OF_OUTCOME = {"succeeded": "succeed", "declined": "decline", "unknown": "lose_answer"}
