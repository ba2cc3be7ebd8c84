"""The page of an invoice: its lines, the path of its machine, the money, and the one timeline of it all."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.desk import Desk
from admin_api.listings.billing import INVOICES, InvoiceRow
from admin_api.listings.details.parts import PARTS_LIMIT, parts_of
from admin_api.listings.payments import PAYMENTS, PaymentRow
from admin_api.listings.received import RECEIVED, ReceivedRow
from admin_api.listings.refunds import REFUNDS, RefundRow
from admin_api.queries.ledger import Transfer, transfers_of
from admin_api.queries.timeline import Moment, ProviderCallView, Step, calls_about, path_of, timeline_of
from billing.invoices import INVOICE
from models.tables import PaymentAttempt, ProviderPayment, Refund
from web.views import Money, View


class InvoiceLineView(View):
    description: str
    quantity: int
    unit_amount: Money
    amount: Money


class InvoiceDetail(InvoiceRow):
    """`path`: the steps of the invoice itself. `allowed_triggers`: what its machine knows from here."""

    allowed_triggers: list[str]
    path: list[Step]
    lines: list[InvoiceLineView]
    attempts: Sequence[PaymentRow]
    calls: list[ProviderCallView]
    received: Sequence[ReceivedRow]
    refunds: Sequence[RefundRow]
    ledger: list[Transfer]
    timeline: list[Moment]


_LINES: Final = text(f"""
    SELECT line.description, line.quantity, line.unit_amount_minor, line.amount_minor, invoice.currency
    FROM invoice_line line JOIN invoice ON invoice.id = line.invoice_id
    WHERE line.invoice_id = :invoice_id ORDER BY line.position LIMIT {PARTS_LIMIT}
""")  # noqa: S608


def invoice_detail(desk: Desk, invoice_id: UUID) -> InvoiceDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = INVOICES.get(session, invoice_id)
        assert isinstance(head, InvoiceRow)
        connection = session.connection()
        attempts = parts_of(desk, session, PAYMENTS, PaymentRow, PaymentAttempt.invoice_id == invoice_id)
        received = parts_of(desk, session, RECEIVED, ReceivedRow, ProviderPayment.invoice_id == invoice_id)
        refunds = parts_of(desk, session, REFUNDS, RefundRow, Refund.invoice_id == invoice_id)
        ids = [each.id for part in (attempts, refunds) for each in part]
        calls = calls_about(connection, ids)
        ledger = transfers_of(connection, [invoice_id, *ids, *(each.id for each in received)])
        moved = {transfer.command_id for transfer in ledger}
        return InvoiceDetail(
            **dict(head),
            allowed_triggers=list(INVOICE.triggers_from(head.state)),
            path=path_of(connection, invoice_id),
            lines=_lines(connection, invoice_id),
            attempts=attempts,
            calls=calls,
            received=received,
            refunds=refunds,
            ledger=ledger,
            timeline=timeline_of(connection, [invoice_id, *ids], calls=calls, command_ids=moved),
        )


def _lines(connection: Connection, invoice_id: UUID) -> list[InvoiceLineView]:
    return [
        InvoiceLineView(
            description=row.description,
            quantity=row.quantity,
            unit_amount=Money(amount_minor=row.unit_amount_minor, currency=row.currency),
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
        )
        for row in connection.execute(_LINES, {"invoice_id": invoice_id})
    ]
