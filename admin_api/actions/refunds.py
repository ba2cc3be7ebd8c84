"""Money back: asked for by staff, approved, rejected. Commands; the sum is reserved when one is applied."""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from admin_api.actions.action import Action
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import AmountMinor, Nothing, Reason
from admin_api.actions.rows import get_invoice, get_received, get_refund
from admin_api.desk import Desk
from billing.invoices import INVOICE
from billing.refunds import REFUND
from bus.messages import ApproveRefund, DeclineRefund, RejectRefund, RequestRefund
from kit.errors import Refused
from kit.ids import new_id
from storage.invoices import find_refundable_payment
from web.commands import Wanted
from web.fields import Body


class NewRefund(Body):
    """How much, in the currency of the payment, and why; the customer may see the reason."""

    amount_minor: AmountMinor
    reason: Reason


class WhyReject(Body):
    """The customer may see the reason."""

    reason: Reason


class WhySeen(Body):
    """What was seen at the provider, and where."""

    reason: Reason


def _want_of_invoice(desk: Desk, connection: Connection, invoice_id: UUID, sent: NewRefund) -> Wanted:
    invoice = get_invoice(connection, invoice_id)
    payment_id = find_refundable_payment(connection, invoice_id, sent.amount_minor)
    if payment_id is None:
        raise Refused("nothing_refundable", refundable_minor=invoice.refundable_minor)
    return _want(desk, invoice.customer_id, invoice_id, payment_id, sent)


def _want_of_received(desk: Desk, connection: Connection, payment_id: UUID, sent: NewRefund) -> Wanted:
    payment = get_received(connection, payment_id)
    return _want(desk, payment.customer_id, payment.invoice_id, payment_id, sent)


def _want(
    desk: Desk, customer_id: UUID | None, invoice_id: UUID | None, payment_id: UUID, sent: NewRefund
) -> Wanted:
    command = RequestRefund(
        studio_id=desk.studio_id,
        customer_id=customer_id,
        refund_id=new_id(),
        payment_id=payment_id,
        invoice_id=invoice_id,
        amount_minor=sent.amount_minor,
        reason=sent.reason,
        origin="staff",
    )
    return Wanted(command, command.refund_id)


def _want_approve(desk: Desk, connection: Connection, refund_id: UUID, _sent: Nothing) -> Wanted:
    return Wanted(ApproveRefund(**_ids(desk, connection, refund_id)), refund_id)


def _want_reject(desk: Desk, connection: Connection, refund_id: UUID, sent: WhyReject) -> Wanted:
    return Wanted(RejectRefund(**_ids(desk, connection, refund_id), reason=sent.reason), refund_id)


def _want_decline(desk: Desk, connection: Connection, refund_id: UUID, sent: WhySeen) -> Wanted:
    return Wanted(DeclineRefund(**_ids(desk, connection, refund_id), reason=sent.reason), refund_id)


def _ids(desk: Desk, connection: Connection, refund_id: UUID) -> dict[str, UUID]:
    refund = get_refund(connection, refund_id)
    if refund.provider_payment_id is None:
        # Made in the provider's cabinet before we heard of the payment: nothing is left to decide.
        raise Refused("transition_refused", machine="refund", state=refund.state)
    return {
        "studio_id": desk.studio_id,
        "customer_id": refund.customer_id,
        "refund_id": refund_id,
        "payment_id": refund.provider_payment_id,
        "invoice_id": refund.invoice_id,
    }


def _may_refund_invoice(connection: Connection, invoice_id: UUID) -> bool:
    invoice = get_invoice(connection, invoice_id)
    return "refund" in INVOICE.triggers_from(invoice.state) and invoice.refundable_minor > 0


def _may_refund_received(connection: Connection, payment_id: UUID) -> bool:
    return bool(get_received(connection, payment_id).refundable_minor > 0)


def _may_approve(connection: Connection, refund_id: UUID) -> bool:
    return "approve" in REFUND.triggers_from(get_refund(connection, refund_id).state)


def _may_reject(connection: Connection, refund_id: UUID) -> bool:
    return "reject" in REFUND.triggers_from(get_refund(connection, refund_id).state)


def _may_decline(connection: Connection, refund_id: UUID) -> bool:
    return bool(get_refund(connection, refund_id).state == "unknown")


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "request_refund",
        "refunds.request",
        "/invoices/{subject_id}/refunds",
        subject="invoices",
        body=NewRefund,
        want=_want_of_invoice,
        is_open=_may_refund_invoice,
        is_dangerous=True,
        needs_key=True,
        summary="Ask for money of an invoice to be given back",
    ),
    command_action(
        "refund_received",
        "refunds.request",
        "/received/{subject_id}/refunds",
        subject="received",
        body=NewRefund,
        want=_want_of_received,
        is_open=_may_refund_received,
        is_dangerous=True,
        needs_key=True,
        summary="Ask for received money to be given back, unapplied money too",
    ),
    command_action(
        "approve_refund",
        "refunds.decide",
        "/refunds/{subject_id}/approve",
        subject="refunds",
        body=Nothing,
        want=_want_approve,
        is_open=_may_approve,
        is_dangerous=True,
        needs_key=True,
        summary="Approve: the money goes back",
    ),
    command_action(
        "reject_refund",
        "refunds.decide",
        "/refunds/{subject_id}/reject",
        subject="refunds",
        body=WhyReject,
        want=_want_reject,
        is_open=_may_reject,
        summary="Reject: the sum is free again",
    ),
    command_action(
        "decline_refund",
        "refunds.decide",
        "/refunds/{subject_id}/decline",
        subject="refunds",
        body=WhySeen,
        want=_want_decline,
        is_open=_may_decline,
        is_dangerous=True,
        summary="Of an unknown refund: the provider has none, so the sum is free again",
    ),
)
