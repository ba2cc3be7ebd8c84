"""Starting payments and recording what became of them.

Money that a provider says it took is recorded whatever we think of it. It pays an invoice only if that one
is open and the sum fits; else it is unapplied, gives nothing, and waits for a person.
"""

from typing import Any, NamedTuple

from billing.invoices import INVOICE, InvoiceSums
from billing.ledger import Posting
from billing.payments import IN_FLIGHT, PAYMENT, TRIGGER_OF_OUTCOME
from booking.rules.machine import PAYABLE_MIN
from bus.messages import RecordPaymentOutcome, StartPayment
from kit.errors import InvalidMessage, NotFound, Refused
from state_updater.booking_rows import Booking
from state_updater.handlers.giving_back import apply_early_refunds
from state_updater.handlers.invoices import require_none_in_flight
from state_updater.handlers.late_money import confirm, draw_again, find_lost_slot, return_late_money
from state_updater.handlers.periods import begin_period
from state_updater.handlers.slots import Slot
from state_updater.rows import Attempt, Invoice, Payment
from state_updater.work import Work


def handle_start_payment(command: StartPayment, work: Work) -> dict[str, Any]:
    invoice = work.get_invoice(command.invoice_id)
    INVOICE.require(invoice.state, "pay")
    # What begins now would keep the hall, and its provider is told no.
    if invoice.booking_id is not None and invoice.expires_at - work.now < PAYABLE_MIN:
        raise Refused("hold_expired", hold_expires_at=invoice.expires_at.isoformat())
    account = work.get_provider_account(command.provider_account_id)
    if not account.is_active:
        raise Refused("provider_account_inactive", provider_account_id=str(account.id))
    live = work.live_attempts(invoice.id)
    for attempt in live:
        if (attempt.method, attempt.provider_account_id) == (command.method, account.id):
            return {"attempt_id": str(attempt.id), "unchanged": True}
    require_none_in_flight(work, invoice.id)
    for attempt in live:
        work.step(attempt, "cancel")
    return {"attempt_id": str(_begin_attempt(command, work, invoice).id)}


def _begin_attempt(command: StartPayment, work: Work, invoice: Invoice) -> Attempt:
    attempt = Attempt(
        id=command.attempt_id,
        studio_id=work.studio.id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        provider_account_id=command.provider_account_id,
        method=command.method,
        state="",
        version=1,
        head_hash=b"",
        amount_minor=invoice.sums.due_minor,
        currency=invoice.currency,
        return_url=command.return_url,
        redirect_url=None,
        decline_code=None,
        decline_category=None,
        declines=0,
        created_at=work.now,
        updated_at=work.now,
    )
    work.create(attempt, "create", amount_minor=attempt.amount_minor, method=attempt.method)
    if command.method == "widget":
        # The page opens in the browser: nothing is asked of the provider before the customer acts.
        work.step(attempt, "offer_page")
    else:
        work.step(attempt, "send")
        work.want_task("start_payment", attempt_id=attempt.id)
    return attempt


class _SentFor(NamedTuple):
    """What money was sent for, as that is when the money is told of."""

    attempt: Attempt | None
    invoice: Invoice | None
    booking: Booking | None
    # What an expired booking had, if this money can still have it.
    lost: Slot | None
    # Why it pays nothing; None if it fits.
    reason: str | None


def handle_record_payment_outcome(command: RecordPaymentOutcome, work: Work) -> dict[str, Any]:
    record = _record_money if command.outcome == "succeeded" else _record_no_money
    result = {"outcome": command.outcome, **record(command, work)}
    if command.outcome in ("succeeded", "declined"):
        _close_leave(command, work)
    return result


def _close_leave(command: RecordPaymentOutcome, work: Work) -> None:
    """The provider has said what it made of its leave to take money; another transaction's stands."""
    invoice = work.find_invoice(command.invoice_id)
    if invoice is None or command.transaction_id is None:
        return
    for admission in work.admissions_for(command.provider_account_id, invoice.id, command.transaction_id):
        work.touch(admission, closed_at=max(work.now, admission.admitted_at))


def _record_no_money(command: RecordPaymentOutcome, work: Work) -> dict[str, Any]:
    attempt = work.find_attempt(command.attempt_id)
    if attempt is None:
        raise NotFound(what="payment_attempt", id=str(command.attempt_id))
    if command.outcome == "declined" and _page_is_open(command, attempt):
        # The customer may try again: count it, keep the attempt.
        work.touch(
            attempt,
            declines=attempt.declines + 1,
            decline_code=command.decline_code,
            decline_category=command.decline_category,
        )
        return {"attempt_id": str(attempt.id), "page_still_open": True}
    trigger = TRIGGER_OF_OUTCOME[command.outcome]
    if trigger not in PAYMENT.triggers_from(attempt.state):
        return {"attempt_id": str(attempt.id), "unchanged": True}
    work.step(attempt, trigger, **_told(command))
    return {"attempt_id": str(attempt.id), "state": attempt.state}


def _page_is_open(command: RecordPaymentOutcome, attempt: Attempt) -> bool:
    """A declined transaction is one try on a page, which may be told of before the page itself is."""
    return attempt.state == "requires_action" or (
        attempt.state == "sent" and command.transaction_id is not None
    )


def _told(command: RecordPaymentOutcome) -> dict[str, Any]:
    told = {
        "redirect_url": command.redirect_url,
        "decline_code": command.decline_code,
        "decline_category": command.decline_category,
    }
    return {name: value for name, value in told.items() if value is not None}


def _record_money(command: RecordPaymentOutcome, work: Work) -> dict[str, Any]:
    if command.payment_id is None or not (
        command.transaction_id and command.amount_minor and command.currency
    ):
        raise InvalidMessage("money_without_sum", command_id=str(work.command_id))
    work.get_provider_account(command.provider_account_id)
    if work.find_payment(command.payment_id) is not None:
        return {"payment_id": str(command.payment_id), "unchanged": True}
    sent_for = _what_it_was_sent_for(command, work)
    attempt, invoice, booking, lost, reason = sent_for
    if attempt is not None and attempt.state != "succeeded":
        work.step(attempt, "succeed")
    if booking is not None and lost is not None:
        invoice, reason = draw_again(command, work, booking), None
    payment = _insert_payment(command, work, attempt, invoice, reason)
    if invoice is not None and reason is None:
        _match(work, payment, invoice)
        _give(work, invoice, sent_for)
    else:
        _leave_unapplied(work, payment, str(reason))
    apply_early_refunds(work, payment, invoice)
    if booking is not None:
        return_late_money(work, payment)
    return {"payment_id": str(payment.id), "unapplied_reason": reason}


def _what_it_was_sent_for(command: RecordPaymentOutcome, work: Work) -> _SentFor:
    """Raises InvalidMessage if ids disagree."""
    attempt = work.find_attempt(command.attempt_id)
    invoice = work.find_invoice(command.invoice_id)
    if attempt is not None and (invoice is None or attempt.invoice_id != invoice.id):
        raise InvalidMessage("ids_disagree", attempt_id=str(attempt.id))
    reason = _unapplied_reason(command, attempt, invoice)
    if invoice is None:
        return _SentFor(attempt, None, None, None, reason)
    # Asked for now: that it was not named is refused before anything is changed.
    work.subscription_of(invoice)
    booking, lost = work.booking_of(invoice), None
    if booking is not None and reason == "invoice_expired":
        lost = find_lost_slot(command, work, booking, invoice)
    return _SentFor(attempt, invoice, booking, lost, reason)


def _give(work: Work, paid: Invoice, sent_for: _SentFor) -> None:
    """What a paid invoice is for: the period of a subscription, the time of a booking."""
    subscription = work.subscription_of(paid)
    if subscription is not None:
        begin_period(work, subscription, paid)
    if sent_for.booking is not None:
        confirm(work, sent_for.booking, paid, sent_for.lost)


def _insert_payment(
    command: RecordPaymentOutcome,
    work: Work,
    attempt: Attempt | None,
    invoice: Invoice | None,
    reason: str | None,
) -> Payment:
    """The money itself; `reason` says why it pays nothing, None that it pays `invoice`."""
    assert command.payment_id
    assert command.transaction_id
    assert command.amount_minor
    assert command.currency
    payment = Payment(
        id=command.payment_id,
        studio_id=work.studio.id,
        provider_account_id=command.provider_account_id,
        transaction_id=command.transaction_id,
        attempt_id=attempt.id if attempt else None,
        invoice_id=invoice.id if invoice and reason is None else None,
        amount_minor=command.amount_minor,
        currency=command.currency,
        unapplied_reason=reason,
        refunded_minor=0,
        reserved_minor=0,
        card_mask=command.card_mask,
        received_at=work.now,
    )
    work.insert(payment)
    return payment


def _unapplied_reason(
    command: RecordPaymentOutcome, attempt: Attempt | None, invoice: Invoice | None
) -> str | None:
    """Why this money pays nothing; None if it fits."""
    if attempt is None or invoice is None:
        return "unknown_order"
    if attempt.provider_account_id != command.provider_account_id:
        return "foreign_account"
    if attempt.state == "succeeded":
        return "paid_twice"
    if invoice.state != "open":
        return f"invoice_{invoice.state}"
    if command.currency != invoice.currency:
        return "other_currency"
    if command.amount_minor != invoice.sums.due_minor:
        return "other_amount"
    return None


def _match(work: Work, payment: Payment, invoice: Invoice) -> None:
    """The invoice is paid by `payment`."""
    for other in work.live_attempts(invoice.id):
        if other.state not in IN_FLIGHT:
            work.step(other, "cancel")
    paid_minor = invoice.paid_minor + payment.amount_minor
    work.step(
        invoice,
        "pay",
        guard=InvoiceSums(invoice.total_minor, paid_minor, invoice.refunded_minor),
        paid_minor=paid_minor,
    )
    work.post(Posting.PAYMENT_MATCHED, payment.id, payment.amount_minor, payment.currency)


def _leave_unapplied(work: Work, payment: Payment, reason: str) -> None:
    work.post(Posting.PAYMENT_UNAPPLIED, payment.id, payment.amount_minor, payment.currency)
    work.tell(
        "payment.unapplied",
        work.command.customer_id,
        payment_id=payment.id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        reason=reason,
    )
