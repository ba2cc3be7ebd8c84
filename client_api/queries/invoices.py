"""A customer's own invoices, with their payments, refunds and timeline."""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from billing.invoices import allowed_actions
from billing.payments import IN_FLIGHT
from client_api.views import (
    AttemptSummaryView,
    InvoiceDetailView,
    InvoiceLineView,
    InvoiceListView,
    InvoiceView,
    PaymentView,
    RefundView,
    TimelineEntryView,
)
from web.problems import not_found
from web.views import Money

PARTS_LIMIT: Final = 100
TIMELINE_LIMIT: Final = 200

_COLUMNS = """
    SELECT id, number, state, subscription_id, booking_id, currency, total_minor, paid_minor, refunded_minor,
        expires_at, period_start, period_end, opened_at, created_at,
        EXISTS (SELECT FROM payment_attempt WHERE payment_attempt.invoice_id = invoice.id
            AND payment_attempt.state = ANY (:in_flight)) AS payment_in_flight,
        (SELECT COALESCE(max(amount_minor - provider_payment.refunded_minor - reserved_minor), 0)
            FROM provider_payment WHERE provider_payment.invoice_id = invoice.id) AS refundable_minor
    FROM invoice WHERE customer_id = :customer_id
"""
_LIST = text(f"""
    {_COLUMNS} AND (CAST(:cursor AS uuid) IS NULL OR id < :cursor) ORDER BY id DESC LIMIT :limit + 1
""")
_GET = text(f"{_COLUMNS} AND id = :invoice_id")
_LINES = text(f"""
    SELECT description, quantity, unit_amount_minor, amount_minor FROM invoice_line
    WHERE invoice_id = :invoice_id ORDER BY position LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_PAYMENTS = text(f"""
    SELECT id, amount_minor, refunded_minor, currency, card_mask, received_at FROM provider_payment
    WHERE invoice_id = :invoice_id ORDER BY received_at, id LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_ATTEMPTS = text(f"""
    SELECT id, state, method, created_at FROM payment_attempt
    WHERE invoice_id = :invoice_id ORDER BY id DESC LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_REFUNDS = text(f"""
    SELECT id, state, invoice_id, amount_minor, currency, origin, reason, created_at FROM refund
    WHERE invoice_id = :invoice_id ORDER BY id DESC LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_GET_REFUND = text("""
    SELECT id, state, invoice_id, amount_minor, currency, origin, reason, created_at FROM refund
    WHERE id = :refund_id AND customer_id = :customer_id
""")
_TIMELINE = text(f"""
    SELECT occurred_at, machine, aggregate_id, trigger, from_state, to_state FROM state_event
    WHERE aggregate_id = ANY (:subjects) ORDER BY occurred_at,
        array_position(ARRAY['payment', 'refund', 'invoice', 'subscription', 'booking'], machine), version
    LIMIT {TIMELINE_LIMIT}
""")  # noqa: S608


def list_invoices(
    connection: Connection, customer_id: UUID, cursor: UUID | None, limit: int
) -> InvoiceListView:
    """Newest first, those before `cursor`."""
    row = {"customer_id": customer_id, "cursor": cursor, "limit": limit, "in_flight": sorted(IN_FLIGHT)}
    items = [_view(found) for found in connection.execute(_LIST, row)]
    return InvoiceListView(
        items=items[:limit], next_cursor=items[limit - 1].id if len(items) > limit else None
    )


def get_invoice(connection: Connection, customer_id: UUID, invoice_id: UUID) -> InvoiceView:
    """Raises Problem 404."""
    row = {"customer_id": customer_id, "invoice_id": invoice_id, "in_flight": sorted(IN_FLIGHT)}
    found = connection.execute(_GET, row).one_or_none()
    if found is None:
        raise not_found()
    return _view(found)


def get_invoice_detail(connection: Connection, customer_id: UUID, invoice_id: UUID) -> InvoiceDetailView:
    """Raises Problem 404."""
    invoice = get_invoice(connection, customer_id, invoice_id)
    of_invoice = {"invoice_id": invoice_id}
    attempts = [
        AttemptSummaryView(id=row.id, state=row.state, method=row.method, created_at=row.created_at)
        for row in connection.execute(_ATTEMPTS, of_invoice)
    ]
    refunds = [refund_view(row) for row in connection.execute(_REFUNDS, of_invoice)]
    subjects = [invoice_id, *(attempt.id for attempt in attempts), *(refund.id for refund in refunds)]
    subjects += [subject for subject in (invoice.subscription_id, invoice.booking_id) if subject]
    return InvoiceDetailView(
        **dict(invoice),
        lines=_lines(connection, invoice),
        payments=_payments(connection, invoice_id),
        attempts=attempts,
        refunds=refunds,
        timeline=_timeline(connection, subjects),
    )


def get_refund(connection: Connection, customer_id: UUID, refund_id: UUID) -> RefundView:
    """Raises Problem 404."""
    found = connection.execute(
        _GET_REFUND, {"refund_id": refund_id, "customer_id": customer_id}
    ).one_or_none()
    if found is None:
        raise not_found()
    return refund_view(found)


def refund_view(row: Row[tuple[object, ...]]) -> RefundView:
    return RefundView(
        id=row.id,
        state=row.state,
        invoice_id=row.invoice_id,
        amount=Money(amount_minor=row.amount_minor, currency=row.currency),
        origin=row.origin,
        reason=row.reason,
        created_at=row.created_at,
    )


def _view(row: Row[tuple[object, ...]]) -> InvoiceView:
    def money(amount_minor: int) -> Money:
        return Money(amount_minor=amount_minor, currency=row.currency)

    return InvoiceView.model_validate(
        {
            "id": row.id,
            "number": row.number,
            "state": row.state,
            "subscription_id": row.subscription_id,
            "booking_id": row.booking_id,
            "total": money(row.total_minor),
            "paid": money(row.paid_minor),
            "refunded": money(row.refunded_minor),
            "due": money(row.total_minor - row.paid_minor),
            "period_start": row.period_start,
            "period_end": row.period_end,
            "expires_at": row.expires_at,
            "opened_at": row.opened_at,
            "created_at": row.created_at,
            "allowed_actions": allowed_actions(
                row.state,
                payment_in_flight=row.payment_in_flight,
                refundable_minor=row.refundable_minor,
            ),
        }
    )


def _lines(connection: Connection, invoice: InvoiceView) -> list[InvoiceLineView]:
    currency = invoice.total.currency
    return [
        InvoiceLineView(
            description=row.description,
            quantity=row.quantity,
            unit_amount=Money(amount_minor=row.unit_amount_minor, currency=currency),
            amount=Money(amount_minor=row.amount_minor, currency=currency),
        )
        for row in connection.execute(_LINES, {"invoice_id": invoice.id})
    ]


def _payments(connection: Connection, invoice_id: UUID) -> list[PaymentView]:
    return [
        PaymentView(
            id=row.id,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            refunded=Money(amount_minor=row.refunded_minor, currency=row.currency),
            card_mask=row.card_mask,
            received_at=row.received_at,
        )
        for row in connection.execute(_PAYMENTS, {"invoice_id": invoice_id})
    ]


def _timeline(connection: Connection, subjects: list[UUID]) -> list[TimelineEntryView]:
    return [
        TimelineEntryView(
            at=row.occurred_at,
            machine=row.machine,
            subject_id=row.aggregate_id,
            trigger=row.trigger,
            from_state=row.from_state,
            to_state=row.to_state,
        )
        for row in connection.execute(_TIMELINE, {"subjects": subjects})
    ]
