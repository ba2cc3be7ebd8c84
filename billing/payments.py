"""The payment: one try to take money for an invoice. It lives in the table `payment_attempt`.

*Unknown* is a state of its own and never decays into a failure: only evidence (an answer, an authenticated
callback, a look-up) moves an attempt on.
"""

from uuid import UUID

from kit.ids import derived_id
from kit.machine import NOWHERE, Machine, Transition

# While an attempt is in one of these, the provider may still do something with it.
ANSWERABLE = ["sent", "requires_action", "pending", "unknown"]


def _from_answerable(trigger: str, dest: str, *late: str) -> Transition:
    sources = [state for state in ANSWERABLE if state != dest]
    return {"trigger": trigger, "source": [*sources, *late], "dest": dest}


TABLE: list[Transition] = [
    {"trigger": "create", "source": NOWHERE, "dest": "intent"},
    {"trigger": "send", "source": "intent", "dest": "sent"},
    {"trigger": "offer_page", "source": "intent", "dest": "requires_action"},
    _from_answerable("require_action", "requires_action"),
    _from_answerable("wait", "pending"),
    # Money that arrives late is still money: whatever we thought before, the attempt has succeeded.
    _from_answerable("succeed", "succeeded", "declined", "canceled", "not_sent"),
    _from_answerable("decline", "declined"),
    _from_answerable("fail_to_send", "not_sent"),
    _from_answerable("lose_answer", "unknown"),
    {"trigger": "cancel", "source": ["intent", "requires_action"], "dest": "canceled"},
]

PAYMENT = Machine(
    "payment",
    [
        "intent",
        "sent",
        "requires_action",
        "pending",
        "unknown",
        "succeeded",
        "declined",
        "not_sent",
        "canceled",
    ],
    TABLE,
)

# At most one attempt of an invoice is live, over all channels: a partial unique index says the same.
LIVE = frozenset({"intent", "sent", "requires_action", "pending", "unknown"})
# Money may be moving: superseding, voiding, expiring and canceling wait.
IN_FLIGHT = frozenset({"sent", "pending", "unknown"})
# For so long a provider that was told "yes, take this money" may take it; then somebody else may ask. Whether
# it has is not known until it says so: it is asked, and from the first time on for so many days.
ADMISSION_SECONDS = 300
ADMISSION_ASKED_DAYS = 7


def received_payment_id(provider_account_id: UUID, transaction_id: str) -> UUID:
    """The id of the money that a provider account names by `transaction_id`, whoever tells of it first."""
    return derived_id("provider_payment", provider_account_id, transaction_id)


# What an outcome does to an attempt.
TRIGGER_OF_OUTCOME = {
    "requires_action": "require_action",
    "pending": "wait",
    "succeeded": "succeed",
    "declined": "decline",
    "not_sent": "fail_to_send",
    "unknown": "lose_answer",
}
