"""What a payer is to know about a payment, from its states. Pure.

Nothing here is called failed while money may still move: only the bank's no is a no.
"""

from enum import StrEnum

from billing.invoices import SETTLED
from client_api.queries.payments import Attempt


class Phase(StrEnum):
    """One sentence of the page each."""

    OFFERED = "offered"
    PREPARING = "preparing"
    PROCESSING = "processing"
    PAID = "paid"
    KEPT = "kept"
    DECLINED = "declined"
    CLOSED = "closed"


# In these the page goes on looking; the others are final for its eye.
CHANGING = frozenset({Phase.OFFERED, Phase.PREPARING, Phase.PROCESSING, Phase.KEPT})


def decide_phase(attempt: Attempt) -> Phase:
    """The phase of one attempt."""
    match attempt.state:
        case "succeeded":
            return Phase.PAID if attempt.invoice_state in SETTLED else Phase.KEPT
        case "declined":
            return Phase.DECLINED
        case "pending" | "unknown":
            return Phase.PROCESSING
        case "intent" | "sent":
            return Phase.PREPARING
        case "requires_action" if attempt.invoice_state == "open":
            return Phase.OFFERED
        case _:
            return Phase.CLOSED
