"""Pages of money: an attempt to pay, received money, a refund; each with its calls and its timeline."""

from collections.abc import Sequence
from uuid import UUID

from admin_api.desk import Desk
from admin_api.listings.details.parts import parts_of
from admin_api.listings.payments import PAYMENTS, PaymentRow
from admin_api.listings.received import RECEIVED, ReceivedRow
from admin_api.listings.refunds import REFUNDS, RefundRow
from admin_api.queries.ledger import Transfer, transfers_of
from admin_api.queries.timeline import Moment, ProviderCallView, Step, calls_about, path_of, timeline_of
from billing.payments import PAYMENT
from billing.refunds import REFUND
from models.tables import ProviderPayment, Refund


class PaymentDetail(PaymentRow):
    allowed_triggers: list[str]
    path: list[Step]
    calls: list[ProviderCallView]
    received: Sequence[ReceivedRow]
    timeline: list[Moment]


class ReceivedDetail(ReceivedRow):
    refunds: Sequence[RefundRow]
    ledger: list[Transfer]
    timeline: list[Moment]


class RefundDetail(RefundRow):
    allowed_triggers: list[str]
    path: list[Step]
    calls: list[ProviderCallView]
    received: Sequence[ReceivedRow]
    ledger: list[Transfer]
    timeline: list[Moment]


def payment_detail(desk: Desk, attempt_id: UUID) -> PaymentDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = PAYMENTS.get(session, attempt_id)
        assert isinstance(head, PaymentRow)
        connection = session.connection()
        calls = calls_about(connection, [attempt_id])
        of_invoice = ProviderPayment.invoice_id == head.invoice.id
        received = parts_of(desk, session, RECEIVED, ReceivedRow, of_invoice)
        return PaymentDetail(
            **dict(head),
            allowed_triggers=list(PAYMENT.triggers_from(head.state)),
            path=path_of(connection, attempt_id),
            calls=calls,
            received=[each for each in received if each.attempt_id == attempt_id],
            timeline=timeline_of(connection, [attempt_id], calls=calls),
        )


def received_detail(desk: Desk, payment_id: UUID) -> ReceivedDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = RECEIVED.get(session, payment_id)
        assert isinstance(head, ReceivedRow)
        connection = session.connection()
        refunds = parts_of(desk, session, REFUNDS, RefundRow, Refund.provider_payment_id == payment_id)
        ids = [each.id for each in refunds]
        ledger = transfers_of(connection, [payment_id, *ids])
        moved = {transfer.command_id for transfer in ledger}
        return ReceivedDetail(
            **dict(head),
            refunds=refunds,
            ledger=ledger,
            timeline=timeline_of(connection, ids, calls=calls_about(connection, ids), command_ids=moved),
        )


def refund_detail(desk: Desk, refund_id: UUID) -> RefundDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = REFUNDS.get(session, refund_id)
        assert isinstance(head, RefundRow)
        connection = session.connection()
        calls = calls_about(connection, [refund_id])
        ledger = transfers_of(connection, [refund_id])
        moved = {transfer.command_id for transfer in ledger}
        of_refund = ProviderPayment.id == head.provider_payment_id
        return RefundDetail(
            **dict(head),
            allowed_triggers=list(REFUND.triggers_from(head.state)),
            path=path_of(connection, refund_id),
            calls=calls,
            received=parts_of(desk, session, RECEIVED, ReceivedRow, of_refund),
            ledger=ledger,
            timeline=timeline_of(connection, [refund_id], calls=calls, command_ids=moved),
        )
