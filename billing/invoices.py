"""The invoice: what a customer owes, from draft to paid and back."""

from dataclasses import dataclass

from kit.machine import NOWHERE, Machine, Transition


@dataclass(frozen=True, slots=True)
class InvoiceSums:
    """What the guards look at, minor units of the invoice's currency."""

    total_minor: int
    paid_minor: int
    refunded_minor: int

    @property
    def due_minor(self) -> int:
        return self.total_minor - self.paid_minor


def is_covered(sums: InvoiceSums) -> bool:
    return sums.paid_minor == sums.total_minor


def is_partly_refunded(sums: InvoiceSums) -> bool:
    return 0 < sums.refunded_minor < sums.paid_minor


def is_fully_refunded(sums: InvoiceSums) -> bool:
    return sums.refunded_minor == sums.paid_minor


TABLE: list[Transition] = [
    {"trigger": "draw", "source": NOWHERE, "dest": "draft"},
    {"trigger": "open", "source": "draft", "dest": "open"},
    {"trigger": "void", "source": ["draft", "open"], "dest": "void"},
    {"trigger": "expire", "source": "open", "dest": "expired"},
    {"trigger": "pay", "source": "open", "dest": "paid", "conditions": [is_covered]},
    {
        "trigger": "refund",
        "source": ["paid", "partially_refunded"],
        "dest": "partially_refunded",
        "conditions": [is_partly_refunded],
    },
    {
        "trigger": "refund",
        "source": ["paid", "partially_refunded"],
        "dest": "refunded",
        "conditions": [is_fully_refunded],
    },
]

INVOICE = Machine(
    "invoice", ["draft", "open", "void", "expired", "paid", "partially_refunded", "refunded"], TABLE
)

UNPAID = frozenset({"draft", "open"})
SETTLED = frozenset({"paid", "partially_refunded", "refunded"})


def allowed_actions(state: str, *, payment_in_flight: bool, refundable_minor: int) -> list[str]:
    """What a customer may ask for now, in the API's words.

    `payment_in_flight`: an attempt is sent, pending or unknown. `refundable_minor`: captured less refunded
    less reserved.
    """
    actions = []
    if "pay" in INVOICE.triggers_from(state) and not payment_in_flight:
        actions.append("pay")
    if "refund" in INVOICE.triggers_from(state) and refundable_minor > 0:
        actions.append("request_refund")
    return actions
