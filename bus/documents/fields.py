"""Every field that a message may have, with an example. A name means the same wherever it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STUDIO_ID: Final = "019aa5f0-4b1e-7c7a-9d0e-2f6c1a7b3e10"
HALL_ID: Final = "019aa5f0-83b7-7e5d-9a14-6d2f0c8b7e91"
INVOICE_ID: Final = "019aa5f2-90d4-7f31-8a55-6b0d9c2e4f77"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`example` is a JSON value that the field may have. `null` says what it means to have none."""

    meaning: str
    example: object
    null: str = "Null where there is none."

    def text(self, *, is_nullable: bool) -> str:
        """As it is told of one message."""
        return f"{self.meaning} {self.null}" if is_nullable else self.meaning


FIELDS: Final[Mapping[str, Meaning]] = {
    "studio_id": Meaning("The studio that it belongs to.", STUDIO_ID),
    "customer_id": Meaning(
        "The customer that it is about.",
        "019aa5f1-0c52-7d1b-b3a4-51e0f8d29c64",
        "Null for money of somebody unknown, or the studio as a whole.",
    ),
    "occurred_at": Meaning(
        "When it happened, by the studio's clock; with an offset from UTC.", "2026-11-21T09:30:00.123456Z"
    ),
    "subscription_id": Meaning("The subscription.", "019aa5f2-90d4-7b02-9c1f-0a5d7e3b8812"),
    "invoice_id": Meaning("The invoice.", INVOICE_ID),
    "price_id": Meaning(
        "The price, a version of a plan's, that is to be paid.", "019aa5f0-7e61-7a90-86f2-d41b0c9e5a33"
    ),
    "metadata": Meaning("What the studio's application keeps with the subscription.", {"hall": "north"}),
    "at_period_end": Meaning("Whether it runs to the end of what is paid for.", True),
    "period_start": Meaning("Where the billing period begins that is to be paid.", "2026-12-21T00:00:00Z"),
    "lines": Meaning(
        "The lines of the invoice, at least one.",
        [{"description": "Drum lesson", "quantity": 2, "unit_amount_minor": 149_000}],
    ),
    "description": Meaning("What the line is for, as the invoice says it.", "Drum lesson"),
    "quantity": Meaning("How many units.", 2),
    "unit_amount_minor": Meaning("The price of one unit, in minor units of the studio's currency.", 149_000),
    "reason": Meaning("Why, in words or as a code.", "paid_twice"),
    "attempt_id": Meaning("The attempt to pay.", "019aa5f3-15b8-7e44-a0c6-93d2b7f1e025"),
    "provider_account_id": Meaning(
        "The studio's account at the payment provider.", "019aa5f0-6a07-7c58-b9e1-48f5d0a2c716"
    ),
    "method": Meaning("How the customer comes to pay.", "widget"),
    "return_url": Meaning(
        "Where the customer is sent back to after paying.", "https://studio.example/schedule"
    ),
    "payment_id": Meaning(
        "Received money; derived from the provider account and its transaction.",
        "6d0f3c62-1f4b-5a8e-9c7d-b2e4a1f05933",
    ),
    "outcome": Meaning("What became of it.", "succeeded"),
    "transaction_id": Meaning("The provider's name of the transaction.", "1881236748"),
    "amount_minor": Meaning("The sum, in minor units of its currency: kopecks, cents.", 149_000),
    "currency": Meaning("The currency, by ISO 4217.", "RUB"),
    "redirect_url": Meaning("Where the customer confirms the payment.", None),
    "decline_code": Meaning("The provider's own code of a decline.", None),
    "decline_category": Meaning("What kind of decline it is, by our words.", None),
    "card_mask": Meaning("The card's first and last digits.", "411111******1111"),
    "refund_id": Meaning("The refund.", "019aa5f4-c2e9-7a17-8b3d-7f60e5d1a948"),
    "origin": Meaning("Who asked for it.", "customer"),
    "payment_transaction_id": Meaning(
        "The provider's name of the transaction that is given back.", "1881236748"
    ),
    "provider_refund_id": Meaning("The provider's name of the refund.", "1881240915"),
    "total_minor": Meaning("The sum of the invoice or the booking, in minor units of its currency.", 149_000),
    "paid_minor": Meaning("What has been paid of it, in minor units.", 149_000),
    "refunded_minor": Meaning("What has been given back of it, in minor units.", 0),
    "booking_id": Meaning("The booking.", "019aa5f6-2c18-7d40-95b7-c3e8f1a60d24"),
    "hall_id": Meaning("The hall.", HALL_ID),
    "starts_at": Meaning("When it begins.", "2026-11-28T09:00:00Z"),
    "ends_at": Meaning("When it ends, and the next may begin.", "2026-11-28T11:00:00Z"),
    "people": Meaning("How many will come.", 4),
    "extras": Meaning(
        "What is lent beside the hall.",
        [{"extra_id": "019aa5f0-91d3-7a6c-8f42-b05e7c1d9a3f", "quantity": 1}],
    ),
    "extra_id": Meaning("The extra.", "019aa5f0-91d3-7a6c-8f42-b05e7c1d9a3f"),
    "terms": Meaning(
        "What canceling gives back, by the hours before the start.",
        [{"hours_before": 24, "refund_percent": 50}],
    ),
    "hours_before": Meaning("At least so many hours before the start.", 24),
    "refund_percent": Meaning("How much of what was paid goes back.", 50),
    "offer": Meaning(
        "What was quoted: time, price and terms.",
        {
            "hall_id": HALL_ID,
            "starts_at": "2026-11-28T09:00:00Z",
            "ends_at": "2026-11-28T11:00:00Z",
            "people": 4,
            "extras": [],
            "lines": [{"description": "North hall, 2 h", "quantity": 1, "unit_amount_minor": 400_000}],
            "terms": [{"hours_before": 24, "refund_percent": 50}],
        },
    ),
    "payment": Meaning("How it is to be paid.", "online"),
    "blackout_id": Meaning("The time in which the hall is closed.", "019aa5f7-60e2-7b15-a7d9-0f4c2b8e1d53"),
    "note": Meaning("Why, for the staff.", "The floor is painted"),
    "command_id": Meaning("The command that waits for a person.", "019aa5f5-3d70-7c9b-94e8-1b2f6a0d5c87"),
    "command_kind": Meaning("The name of that command.", "RecordPaymentOutcome"),
    "code": Meaning("What went wrong, as a stable code.", "invariant_violated"),
    "notification_id": Meaning("The message that was given up.", "0c9a7f2e-85d1-5b36-a4f0-e7d3c1b29684"),
    "notification_kind": Meaning("What that message was about.", "payment_succeeded"),
    "channel": Meaning("How it was to be sent.", "email"),
}
# Where one example does not fit all that have the field.
EXAMPLES_OF: Final[Mapping[str, Mapping[str, object]]] = {
    "VoidInvoice": {"reason": "Issued by mistake"},
    "RequestRefund": {"reason": "The lesson was called off"},
    "RejectRefund": {"reason": "The lesson took place"},
    "DeclineRefund": {"reason": "The provider's list of operations has none"},
    "CancelBooking": {"origin": "staff", "reason": "The heating is broken"},
    "CompleteBooking": {"origin": "clock"},
    "RetryLookUp": {"refund_id": None},
    "invoice.opened": {"paid_minor": 0},
    "invoice.voided": {"paid_minor": 0},
    "invoice.expired": {"paid_minor": 0},
    "invoice.refunded": {"refunded_minor": 149_000},
    "notification.failed": {"code": "mailbox_unknown"},
}
