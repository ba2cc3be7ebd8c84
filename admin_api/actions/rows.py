"""The rows that commands are about, as the admin reads them before it gives one: ids, states, what is open.

Hints all of them: the updater reads again under locks. A row of another studio is as good as absent.
"""

from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from billing.payments import IN_FLIGHT
from kit.errors import NotFound

AnyRow = Row[tuple[object, ...]]

_INVOICE = text("""
    SELECT id, customer_id, subscription_id, state, currency,
        EXISTS (SELECT FROM payment_attempt a WHERE a.invoice_id = invoice.id
            AND a.state = ANY (:in_flight)) AS payment_in_flight,
        (SELECT COALESCE(max(p.amount_minor - p.refunded_minor - p.reserved_minor), 0)
            FROM provider_payment p WHERE p.invoice_id = invoice.id) AS refundable_minor
    FROM invoice WHERE id = :id
""")
_SUBSCRIPTION = text("SELECT id, customer_id, state, cancel_at_period_end FROM subscription WHERE id = :id")
_ATTEMPT = text("SELECT id, customer_id, invoice_id, state FROM payment_attempt WHERE id = :id")
_REFUND = text("""
    SELECT id, customer_id, provider_payment_id, invoice_id, state FROM refund WHERE id = :id
""")
# Money without an invoice belongs to the customer whose attempt brought it, if there was one.
_RECEIVED = text("""
    SELECT p.id, p.invoice_id, COALESCE(i.customer_id, a.customer_id) AS customer_id,
        p.amount_minor - p.refunded_minor - p.reserved_minor AS refundable_minor
    FROM provider_payment p LEFT JOIN invoice i ON i.id = p.invoice_id
        LEFT JOIN payment_attempt a ON a.id = p.attempt_id
    WHERE p.id = :id
""")
_BOOKING = text("""
    SELECT booking.id, booking.customer_id, hall_id, hall.name AS hall, booking.state, starts_at, ends_at,
        people, booking.currency, terms, refund_percent_max, timezone
    FROM booking JOIN hall ON hall.id = booking.hall_id JOIN studio ON studio.id = booking.studio_id
    WHERE booking.id = :id
""")
_BOOKED_EXTRAS = text("""
    SELECT extra_id, quantity FROM extra_use WHERE booking_id = :id AND released_at IS NULL ORDER BY id
""")
_BLACKOUT = text("""
    SELECT id, hall_id, starts_at, ends_at FROM occupancy
    WHERE id = :id AND kind = 'blackout' AND released_at IS NULL
""")
_PRICE = text("SELECT id FROM price WHERE id = :id")


def get_invoice(connection: Connection, invoice_id: UUID) -> AnyRow:
    """With `payment_in_flight`, and the most that one of its payments can give back. Raises NotFound."""
    return _get(connection, _INVOICE, "invoice", invoice_id, in_flight=sorted(IN_FLIGHT))


def get_subscription(connection: Connection, subscription_id: UUID) -> AnyRow:
    """Raises NotFound."""
    return _get(connection, _SUBSCRIPTION, "subscription", subscription_id)


def get_attempt(connection: Connection, attempt_id: UUID) -> AnyRow:
    """Raises NotFound."""
    return _get(connection, _ATTEMPT, "payment_attempt", attempt_id)


def get_refund(connection: Connection, refund_id: UUID) -> AnyRow:
    """Raises NotFound."""
    return _get(connection, _REFUND, "refund", refund_id)


def get_received(connection: Connection, payment_id: UUID) -> AnyRow:
    """Received money, with its `refundable_minor`. Raises NotFound."""
    return _get(connection, _RECEIVED, "payment", payment_id)


def get_booking(connection: Connection, booking_id: UUID) -> AnyRow:
    """With its `hall` by name, and the studio's `timezone`. Raises NotFound."""
    return _get(connection, _BOOKING, "booking", booking_id)


def list_booked_extras(connection: Connection, booking_id: UUID) -> list[AnyRow]:
    """What is lent with it: `extra_id`, `quantity`."""
    return list(connection.execute(_BOOKED_EXTRAS, {"id": booking_id}))


def get_blackout(connection: Connection, blackout_id: UUID) -> AnyRow:
    """A time for which a hall is closed. Raises NotFound."""
    return _get(connection, _BLACKOUT, "blackout", blackout_id)


def require_price(connection: Connection, price_id: UUID) -> None:
    """Raises NotFound."""
    _get(connection, _PRICE, "price", price_id)


def _get(connection: Connection, statement: TextClause, what: str, row_id: UUID, **more: object) -> AnyRow:
    row = connection.execute(statement, {"id": row_id, **more}).one_or_none()
    if row is None:
        raise NotFound(what=what, id=str(row_id))
    return row
