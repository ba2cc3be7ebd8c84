"""What the search index is given of a logged event: fields by names of the Elastic Common Schema, or like
them. Pure; called by `bulk`.

Every name below stands in the index template too (deploy/elasticsearch), which refuses any other.
"""

from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Final

from babel.numbers import get_currency_precision

from storage.event_log import LoggedEvent

INDEX_PREFIX: Final = "billing-events-"
ECS_VERSION: Final = "9.0.0"
DATASET: Final = "billbus.events"

# From the fields of bus.events. What is not named here is not sent.
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "customer_id": "customer.id",
        "subscription_id": "subscription.id",
        "invoice_id": "invoice.id",
        "total_minor": "invoice.total_minor",
        "paid_minor": "invoice.paid_minor",
        "refunded_minor": "invoice.refunded_minor",
        "attempt_id": "attempt.id",
        "payment_id": "payment.id",
        "refund_id": "refund.id",
        "amount_minor": "amount_minor",
        "currency": "currency",
        "reason": "event.reason",
        "command_id": "command.id",
        "command_kind": "command.kind",
        "notification_id": "notification.id",
        "notification_kind": "notification.kind",
        "channel": "notification.channel",
        "code": "error.code",
        "booking_id": "booking.id",
        "hall_id": "hall.id",
        "starts_at": "booking.starts_at",
        "ends_at": "booking.ends_at",
    }
)
# What a booking comes to is not what an invoice does: pictures add up one or the other.
_OF_BOOKINGS: Final = MappingProxyType({**FIELDS, "total_minor": "booking.total_minor"})


def fields_of(kind: str) -> Mapping[str, str]:
    """Where the fields of an event of this kind stand in its document."""
    return _OF_BOOKINGS if kind.startswith("booking.") else FIELDS


def index_of(event: LoggedEvent) -> str:
    """By the month of the event, UTC: an event that is sent again meets itself there, however late."""
    return f"{INDEX_PREFIX}{event.occurred_at.astimezone(UTC):%Y.%m}"


def document_of(event: LoggedEvent) -> dict[str, object]:
    """The document: nested objects, ids as text, sums in minor units and `amount` in major ones.

    `amount` is for pictures; a sum that counts is read from `amount_minor`.
    """
    fields: dict[str, object] = {
        "@timestamp": event.occurred_at.astimezone(UTC).isoformat(),
        "ecs.version": ECS_VERSION,
        "event.id": str(event.event_id),
        "event.kind": "event",
        "event.dataset": DATASET,
        "event.action": event.kind,
        "event.sequence": event.sequence,
        "trace.id": event.correlation_id,
        "studio.id": str(event.studio_id),
        "subject.id": str(event.subject_id),
    }
    if event.is_error:
        fields["event.outcome"] = "failure"
    known = fields_of(event.kind)
    fields |= {
        known[name]: value for name, value in event.body.items() if name in known and value is not None
    }
    amount_minor = event.body.get("amount_minor")
    if isinstance(amount_minor, int):
        digits = get_currency_precision(str(event.body.get("currency")))
        fields["amount"] = amount_minor / 10**digits
    return _nested(fields)


def _nested(fields: Mapping[str, object]) -> dict[str, object]:
    document: dict[str, object] = {}
    for name, value in fields.items():
        outer, _, inner = name.rpartition(".")
        if not outer:
            document[inner] = value
            continue
        place = document.setdefault(outer, {})
        assert isinstance(place, dict)
        place[inner] = value
    return document
