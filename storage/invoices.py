"""What both APIs ask of invoices before they accept a command. Hints: the updater reads again under locks.

Called in the transaction of the studio, whose row-level security stands under it.
"""

from uuid import UUID

from sqlalchemy import Connection, text

_OPEN = text("""
    SELECT id FROM invoice WHERE subscription_id = :subscription_id AND state IN ('draft', 'open')
    ORDER BY id DESC LIMIT 1
""")
_REFUNDABLE = text("""
    SELECT p.id FROM provider_payment p JOIN invoice i ON i.id = p.invoice_id AND i.currency = p.currency
    WHERE p.invoice_id = :invoice_id AND p.amount_minor - p.refunded_minor - p.reserved_minor >= :amount_minor
    ORDER BY p.received_at DESC, p.id LIMIT 1
""")


def find_open_invoice(connection: Connection, subscription_id: UUID) -> UUID | None:
    """The unpaid invoice of a subscription, which ends with it."""
    invoice_id: UUID | None = connection.scalar(_OPEN, {"subscription_id": subscription_id})
    return invoice_id


def find_refundable_payment(connection: Connection, invoice_id: UUID, amount_minor: int) -> UUID | None:
    """The newest payment of the invoice from which `amount_minor` can be given back as things stand."""
    named = {"invoice_id": invoice_id, "amount_minor": amount_minor}
    payment_id: UUID | None = connection.scalar(_REFUNDABLE, named)
    return payment_id
