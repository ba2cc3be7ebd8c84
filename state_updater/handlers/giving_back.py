"""What a refund does to the payment it gives back, whenever either of the two is heard of.

Shared by payments (a refund may be told before its payment) and refunds.
"""

from billing.invoices import InvoiceSums
from billing.ledger import Posting
from kit.errors import InvalidMessage
from state_updater.rows import Invoice, Payment, Refund
from state_updater.work import Work


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
