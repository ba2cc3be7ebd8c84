"""The booking: a customer's time in a hall, from the hold to the end of the visit."""

from datetime import timedelta

from kit.machine import NOWHERE, Machine, Transition

TABLE: list[Transition] = [
    {"trigger": "hold", "source": NOWHERE, "dest": "held"},
    # The invoice is drawn: it can be paid until the hold expires.
    {"trigger": "check_out", "source": "held", "dest": "awaiting_payment"},
    # Straight from the hold when it is paid on site.
    {"trigger": "confirm", "source": ["held", "awaiting_payment"], "dest": "confirmed"},
    {"trigger": "expire", "source": ["held", "awaiting_payment"], "dest": "expired"},
    # Its money came after the hold was lost, and the hall was still free.
    {"trigger": "reinstate", "source": "expired", "dest": "confirmed"},
    {"trigger": "reschedule", "source": "confirmed", "dest": "confirmed"},
    {"trigger": "complete", "source": "confirmed", "dest": "completed"},
    {"trigger": "mark_no_show", "source": "confirmed", "dest": "no_show"},
    {"trigger": "cancel", "source": ["held", "awaiting_payment", "confirmed"], "dest": "canceled"},
]

BOOKING = Machine(
    "booking",
    ["held", "awaiting_payment", "confirmed", "completed", "no_show", "canceled", "expired"],
    TABLE,
)

# Held for somebody who has not paid yet, until `hold_expires_at`.
HELD = frozenset({"held", "awaiting_payment"})
# In these the hall is taken.
LIVE = HELD | {"confirmed"}

# How long past its deadline a hold waits for money that may be moving.
EXPIRY_WAIT = timedelta(minutes=15)
# With less than this left, a provider that asks leave to take money is told no.
PAYABLE_MIN = timedelta(seconds=60)
# How long after its end a confirmed booking may still be marked as a no-show; then it is completed by itself.
COMPLETE_AFTER = timedelta(hours=1)


def allowed_actions(state: str, *, payment_in_flight: bool, pays_on_site: bool) -> list[str]:
    """What its customer may ask for now, in the API's words; a step's own conditions aside."""
    triggers = BOOKING.triggers_from(state)
    actions = []
    if "check_out" in triggers:
        actions.append("check_out_online")
        if pays_on_site:
            actions.append("check_out_on_site")
    if "reschedule" in triggers:
        actions.append("reschedule")
    if "cancel" in triggers and not payment_in_flight:
        actions.append("cancel")
    return actions
