"""Asking for a refund, and what it does to the payment it gives back, whenever either of the two is heard of.

Shared by payments (a refund may be told before its payment), refunds, and bookings, whose terms promise some.
"""

from collections.abc import Iterable
from uuid import UUID

from billing.invoices import InvoiceSums
from billing.ledger import Posting
from kit.errors import InvalidMessage
from kit.ids import derived_id
from state_updater.rows import Invoice, Payment, Refund
from state_updater.work import Work


def request_refund(
    work: Work,
    refund_id: UUID,
    payment: Payment,
    amount_minor: int,
    *,
    origin: str,
    reason: str,
    customer_id: UUID | None,
) -> Refund:
    """A new refund, whose sum is reserved from now on. That it can be is the caller's to know."""
    refund = Refund(
        id=refund_id,
        studio_id=work.studio.id,
        customer_id=customer_id,
        invoice_id=payment.invoice_id,
        provider_payment_id=payment.id,
        provider_account_id=payment.provider_account_id,
        state="",
        version=1,
        head_hash=b"",
        amount_minor=amount_minor,
        currency=payment.currency,
        origin=origin,
        reason=reason,
        payment_transaction_id=payment.transaction_id,
        provider_refund_id=None,
        decline_code=None,
        created_at=work.now,
        updated_at=work.now,
    )
    work.create(refund, "request", amount_minor=refund.amount_minor, payment_id=payment.id)
    work.touch(payment, reserved_minor=payment.reserved_minor + refund.amount_minor)
    return refund


def approve_and_send(work: Work, refund: Refund) -> None:
    work.step(refund, "approve")
    work.step(refund, "send")
    work.want_task("send_refund", refund_id=refund.id)


def release(work: Work, refund: Refund, payment: Payment) -> None:
    work.touch(payment, reserved_minor=payment.reserved_minor - refund.amount_minor)


def withdraw_for(work: Work, payment: Payment, amount_minor: int) -> None:
    """Frees reserved money, oldest first, until `amount_minor` fits or nothing is left that may be freed."""
    for waiting in work.withdrawable_refunds(payment.id):
        if payment.refundable_minor >= amount_minor:
            return
        work.step(waiting, "withdraw")
        release(work, waiting, payment)


def give_back(work: Work, payments: Iterable[Payment], amount_minor: int, reason: str) -> None:
    """Sends a sum back to the command's customer, from these payments in their order, up to what is left of
    them. It was promised, so nobody has to approve it, and what was only asked for makes room."""
    for payment in payments:
        if amount_minor <= 0:
            return
        withdraw_for(work, payment, amount_minor)
        part_minor = min(amount_minor, payment.refundable_minor)
        if part_minor <= 0:
            continue
        refund = request_refund(
            work,
            derived_id("refund_by_terms", work.command_id, payment.id),
            payment,
            part_minor,
            origin="terms",
            reason=reason,
            customer_id=work.command.customer_id,
        )
        approve_and_send(work, refund)
        amount_minor -= part_minor


def apply_refunded(work: Work, payment: Payment, invoice: Invoice | None, amount_minor: int) -> int:
    """Counts a refund that has happened against its payment and invoice; returns how much of it fits.

    What exceeds the sum that was captured is the caller's to post: the money has gone all the same.
    """
    if payment.invoice_id is not None and (invoice is None or invoice.id != payment.invoice_id):
        raise InvalidMessage("ids_disagree", payment_id=str(payment.id))
    fitting_minor = min(amount_minor, payment.amount_minor - payment.refunded_minor)
    if fitting_minor == 0:
        return 0
    work.touch(payment, refunded_minor=payment.refunded_minor + fitting_minor)
    if invoice is not None and payment.invoice_id:
        refunded_minor = invoice.refunded_minor + fitting_minor
        work.step(
            invoice,
            "refund",
            guard=InvoiceSums(invoice.total_minor, invoice.paid_minor, refunded_minor),
            refunded_minor=refunded_minor,
        )
    return fitting_minor


def refund_posting(payment: Payment) -> Posting:
    return Posting.REFUND_MATCHED if payment.invoice_id else Posting.REFUND_UNAPPLIED


def apply_early_refunds(work: Work, payment: Payment, invoice: Invoice | None) -> None:
    """Refunds of this payment that were told before it: what waited as excess finds its place."""
    for refund in work.early_refunds(payment.provider_account_id, payment.transaction_id):
        if refund.currency == payment.currency:
            _place(work, refund, payment, invoice)


def _place(work: Work, refund: Refund, payment: Payment, invoice: Invoice | None) -> None:
    fitting_minor = apply_refunded(work, payment, invoice, refund.amount_minor)
    work.touch(refund, provider_payment_id=payment.id, invoice_id=payment.invoice_id)
    posting = Posting.EXCESS_MATCHED if payment.invoice_id else Posting.EXCESS_UNAPPLIED
    work.post(posting, refund.id, fitting_minor, refund.currency)
