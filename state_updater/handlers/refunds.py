"""Asking for refunds, deciding on them, and recording what became of them.

A sum is reserved from the moment it is asked for. Money that has been given back is a fact and never refused.
"""

from typing import Any

from billing.ledger import Posting
from billing.refunds import REFUND, RESERVING, SEEN_AFTER, TRIGGER_OF_OUTCOME
from bus.messages import ApproveRefund, DeclineRefund, RecordRefundOutcome, RejectRefund, RequestRefund
from kit.errors import InvalidMessage, NotFound, Refused
from state_updater.handlers.giving_back import (
    apply_refunded,
    approve_and_send,
    refund_posting,
    release,
    request_refund,
    withdraw_for,
)
from state_updater.naming import payment_named_by
from state_updater.rows import Payment, Refund
from state_updater.work import Work


def handle_request_refund(command: RequestRefund, work: Work) -> dict[str, Any]:
    payment = work.get_payment(command.payment_id)
    invoice = work.find_invoice(command.invoice_id)
    if payment.invoice_id != (invoice.id if invoice else None):
        raise NotFound(what="payment", id=str(payment.id))
    if invoice is None and command.origin == "customer":
        # Money that no invoice took belongs to nobody we know: only staff may give it back.
        raise NotFound(what="payment", id=str(payment.id))
    if command.amount_minor > payment.refundable_minor:
        raise Refused("exceeds_refundable", refundable_minor=payment.refundable_minor)
    refund = request_refund(
        work,
        command.refund_id,
        payment,
        command.amount_minor,
        origin=command.origin,
        reason=command.reason,
        customer_id=command.customer_id,
    )
    # What a booking gives back by itself its terms say.
    is_beyond_terms = command.origin == "customer" and invoice is not None and invoice.booking_id is not None
    if work.studio.refund_policy == "automatic" and not is_beyond_terms:
        approve_and_send(work, refund)
    return {"refund_id": str(refund.id), "state": refund.state}


def handle_approve_refund(command: ApproveRefund, work: Work) -> dict[str, Any]:
    refund = work.get_refund(command.refund_id)
    _require(refund, "approve")
    approve_and_send(work, refund)
    return {"refund_id": str(refund.id), "state": refund.state}


def handle_reject_refund(command: RejectRefund, work: Work) -> dict[str, Any]:
    refund = work.get_refund(command.refund_id)
    payment = work.get_payment(command.payment_id)
    _require(refund, "reject", payment)
    work.step(refund, "reject")
    release(work, refund, payment)
    return {"refund_id": str(refund.id), "state": refund.state}


def handle_decline_refund(command: DeclineRefund, work: Work) -> dict[str, Any]:
    """What somebody has seen is evidence, and has a name to it. Should the money have gone all the same, the
    provider's word for it still counts."""
    refund = work.get_refund(command.refund_id)
    payment = work.get_payment(command.payment_id)
    _require(refund, "decline", payment)
    due_at = refund.updated_at + SEEN_AFTER
    if refund.state != "unknown" or work.now < due_at:
        raise Refused("not_due", due_at=due_at.isoformat())
    work.step(refund, "decline", facts={"reason": command.reason}, decline_code="not_at_provider")
    release(work, refund, payment)
    return {"refund_id": str(refund.id), "state": refund.state}


def _require(refund: Refund, trigger: str, payment: Payment | None = None) -> None:
    if payment is not None and refund.provider_payment_id != payment.id:
        raise NotFound(what="refund", id=str(refund.id))
    REFUND.require(refund.state, trigger)


def handle_record_refund_outcome(command: RecordRefundOutcome, work: Work) -> dict[str, Any]:
    refund = work.find_refund(command.refund_id)
    if refund is None:
        return _record_cabinet_refund(command, work)
    trigger = TRIGGER_OF_OUTCOME[command.outcome]
    if trigger not in REFUND.triggers_from(refund.state):
        return {"refund_id": str(refund.id), "unchanged": True}
    payment = work.find_payment(refund.provider_payment_id)
    if payment is None:
        raise NotFound(what="payment", id=str(refund.provider_payment_id))
    was_reserving = refund.state in RESERVING
    if command.outcome == "succeeded" and not was_reserving:
        # Declined once, and given back all the same: its sum may have been promised to others since.
        withdraw_for(work, payment, refund.amount_minor)
    match command.outcome:
        case "succeeded":
            work.step(refund, trigger, provider_refund_id=command.provider_refund_id)
        case "declined":
            work.step(refund, trigger, decline_code=command.decline_code)
        case "unknown":
            work.step(refund, trigger)
    if was_reserving and refund.state not in RESERVING:
        release(work, refund, payment)
    if refund.state == "succeeded":
        _give_back(work, refund, payment)
    return {"refund_id": str(refund.id), "state": refund.state}


def _give_back(work: Work, refund: Refund, payment: Payment | None) -> None:
    """Counts and posts a refund that has happened."""
    fitting_minor = 0
    if payment is not None:
        fitting_minor = apply_refunded(work, payment, work.invoice_of(payment), refund.amount_minor)
        work.post(refund_posting(payment), refund.id, fitting_minor, refund.currency)
    work.post(Posting.REFUND_EXCESS, refund.id, refund.amount_minor - fitting_minor, refund.currency)


def _record_cabinet_refund(command: RecordRefundOutcome, work: Work) -> dict[str, Any]:
    """A refund made in the provider's cabinet: a fact. It takes the place of those that only waited."""
    if command.outcome != "succeeded":
        raise NotFound(what="refund", id=str(command.refund_id))
    if not (command.provider_refund_id and command.amount_minor):
        raise InvalidMessage("money_without_sum", command_id=str(work.command_id))
    account = work.get_provider_account(command.provider_account_id)
    payment = work.find_payment(payment_named_by(command))
    if payment is not None and command.currency not in (None, payment.currency):
        payment = None  # not that money: what was given back stays in the books as unapplied
    invoice = work.invoice_of(payment) if payment else None
    refund = Refund(
        id=command.refund_id,
        studio_id=work.studio.id,
        customer_id=invoice.customer_id if invoice else command.customer_id,
        invoice_id=payment.invoice_id if payment else None,
        provider_payment_id=payment.id if payment else None,
        provider_account_id=account.id,
        state="",
        version=1,
        head_hash=b"",
        amount_minor=command.amount_minor,
        # Not every provider says it: then it is the payment's, and before that is known the studio's.
        currency=command.currency or (payment.currency if payment else work.studio.currency),
        origin="provider",
        reason="made at the provider",
        payment_transaction_id=command.payment_transaction_id,
        provider_refund_id=command.provider_refund_id,
        decline_code=None,
        created_at=work.now,
        updated_at=work.now,
    )
    if payment is not None:
        withdraw_for(work, payment, refund.amount_minor)
    work.create(
        refund, "record", amount_minor=refund.amount_minor, provider_refund_id=refund.provider_refund_id
    )
    _give_back(work, refund, payment)
    return {"refund_id": str(refund.id), "state": refund.state}
