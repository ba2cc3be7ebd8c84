"""What is asked of invoices before a command about one is accepted. Hints: the updater reads again
under locks.

Called by both APIs, in the transaction of the studio, whose row-level security stands under it, and by the
worker's sweep.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from billing.payments import ADMISSION_SECONDS, IN_FLIGHT
from storage.due import DUE_LIMIT, STUDIO_NOW, story_of


@dataclass(frozen=True, slots=True)
class ExpiredInvoice:
    """An invoice that is to be expired. `correlation_id` is the one that it began with."""

    id: UUID
    studio_id: UUID
    customer_id: UUID
    subscription_id: UUID | None
    correlation_id: str


# What the parameters of `money_may_move` are bound to.
MOVING: Final[Mapping[str, object]] = {
    "in_flight": sorted(IN_FLIGHT),
    "admission_seconds": ADMISSION_SECONDS,
}


def money_may_move(invoice_id: str, now: str) -> str:
    """SQL for whether a provider may be taking money for an invoice; both arguments are SQL of the caller's.

    An open page alone does not count. Binds MOVING.
    """
    return f"""(
        EXISTS (SELECT FROM payment_attempt moving
            WHERE moving.invoice_id = {invoice_id} AND moving.state = ANY (:in_flight))
        OR EXISTS (SELECT FROM check_admission leave
            WHERE leave.invoice_id = {invoice_id} AND leave.closed_at IS NULL
                AND leave.admitted_at > {now} - make_interval(secs => :admission_seconds)))
    """  # noqa: S608


_OPEN = text("""
    SELECT id FROM invoice WHERE subscription_id = :subscription_id AND state IN ('draft', 'open')
    ORDER BY id DESC LIMIT 1
""")
_REFUNDABLE = text("""
    SELECT p.id FROM provider_payment p JOIN invoice i ON i.id = p.invoice_id AND i.currency = p.currency
    WHERE p.invoice_id = :invoice_id AND p.amount_minor - p.refunded_minor - p.reserved_minor >= :amount_minor
    ORDER BY p.received_at DESC, p.id LIMIT 1
""")
# Those that wait for money are not found: when a provider is away they would fill every page, and keep others
# from being closed.
_EXPIRED = text(f"""
    SELECT i.id, i.studio_id, i.customer_id, i.subscription_id, {story_of("i.id")}
    FROM invoice i
    LEFT JOIN clock_offset o ON o.studio_id = i.studio_id
    LEFT JOIN booking b ON b.id = i.booking_id
    WHERE i.state = 'open' AND b.state IS DISTINCT FROM 'awaiting_payment' AND i.expires_at <= {STUDIO_NOW}
        AND NOT {money_may_move("i.id", STUDIO_NOW)}
    ORDER BY i.expires_at, i.id LIMIT :limit
""")  # noqa: S608


def expired_invoices(connection: Connection) -> list[ExpiredInvoice]:
    """Open invoices whose time is over by their studio's clock, and for which no money may be moving
    any more; the longest first. That of a booking which awaits payment is closed when the hold is."""
    rows = connection.execute(_EXPIRED, {"limit": DUE_LIMIT, **MOVING})
    return [ExpiredInvoice(*row) for row in rows]


def find_open_invoice(connection: Connection, subscription_id: UUID) -> UUID | None:
    """The unpaid invoice of a subscription, which ends with it."""
    invoice_id: UUID | None = connection.scalar(_OPEN, {"subscription_id": subscription_id})
    return invoice_id


def find_refundable_payment(connection: Connection, invoice_id: UUID, amount_minor: int) -> UUID | None:
    """The newest payment of the invoice from which `amount_minor` can be given back as things stand."""
    named = {"invoice_id": invoice_id, "amount_minor": amount_minor}
    payment_id: UUID | None = connection.scalar(_REFUNDABLE, named)
    return payment_id
