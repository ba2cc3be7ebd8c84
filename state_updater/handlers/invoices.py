"""Drawing, opening and closing invoices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from billing.invoices import INVOICE
from billing.ledger import Posting
from billing.payments import IN_FLIGHT
from billing.periods import Period
from billing.subscriptions import SUBSCRIPTION
from bus.messages import AMOUNT_LIMIT_MINOR, ExpireInvoice, InvoiceLine, IssueInvoice, VoidInvoice
from kit.errors import Refused
from state_updater.rows import Attempt, Invoice, Subscription
from state_updater.work import Work


def draw_and_open(
    work: Work,
    invoice_id: UUID,
    customer_id: UUID,
    lines: Sequence[InvoiceLine],
    *,
    subscription_id: UUID | None = None,
    price_id: UUID | None = None,
    period: Period | None = None,
    booking_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> Invoice:
    """A new invoice with its lines, opened at once: it has a number, a term, and stands in the books.

    One that renews a subscription for `period` can be paid before that begins, and for the usual time after.
    The term is the studio's usual one unless `expires_at` is given.
    """
    term_from = max(work.now, period.start) if period else work.now
    invoice = Invoice(
        id=invoice_id,
        studio_id=work.studio.id,
        customer_id=customer_id,
        subscription_id=subscription_id,
        state="",
        version=1,
        head_hash=b"",
        currency=work.studio.currency,
        total_minor=sum(line.quantity * line.unit_amount_minor for line in lines),
        paid_minor=0,
        refunded_minor=0,
        expires_at=expires_at or term_from + timedelta(seconds=work.studio.invoice_lifetime_seconds),
        created_at=work.now,
        updated_at=work.now,
        period_start=period.start if period else None,
        period_end=period.end if period else None,
        booking_id=booking_id,
    )
    told = {"period_start": period.start, "period_end": period.end} if period else {}
    work.create(invoice, "draw", total_minor=invoice.total_minor, currency=invoice.currency, **told)
    for position, line in enumerate(lines, start=1):
        work.add_line(invoice_id, position, price_id, line.description, line.quantity, line.unit_amount_minor)
    work.open_invoice(invoice)
    return invoice


def require_none_in_flight(work: Work, invoice_id: UUID) -> list[Attempt]:
    """The live attempts of an invoice, none of which has money moving.

    Raises Refused (`payment_in_progress`) if one has, or if a provider has leave to take money for it.
    """
    admission = work.find_admission(invoice_id)
    if admission is not None:
        raise Refused("payment_in_progress", attempt_id=str(admission.attempt_id), state="admitted")
    attempts = work.live_attempts(invoice_id)
    for attempt in attempts:
        if attempt.state in IN_FLIGHT:
            raise Refused("payment_in_progress", attempt_id=str(attempt.id), state=attempt.state)
    return attempts


def close_unpaid(
    work: Work, invoice: Invoice, trigger: Literal["void", "expire"], subscription: Subscription | None
) -> None:
    """Voids or expires an open invoice with what hangs on it: its open payment page, and `subscription` that
    was to begin or to go on with it (None: which stays as it is).

    Raises Refused (`payment_in_progress`, or the machine's no) before anything has changed.
    """
    INVOICE.require(invoice.state, trigger)
    require_none_in_flight(work, invoice.id)
    close(work, invoice, trigger)
    if subscription is not None:
        _let_go(work, subscription)


def close(work: Work, invoice: Invoice, trigger: Literal["void", "expire"]) -> None:
    """Voids or expires an open invoice with its open payment page.

    An attempt whose money may be moving stays as it is: if it comes, it is late.
    """
    for attempt in work.live_attempts(invoice.id):
        if attempt.state not in IN_FLIGHT:
            work.step(attempt, "cancel")
    was_open = invoice.state == "open"
    work.step(invoice, trigger)
    if was_open:
        work.post(
            Posting.INVOICE_CLOSED, invoice.id, invoice.total_minor - invoice.paid_minor, invoice.currency
        )


def _let_go(work: Work, subscription: Subscription) -> None:
    """What was to begin or to go on does not: it ends now, or with the period that is paid for and runs."""
    end = subscription.current_period_end
    if subscription.state == "active" and end is not None and work.now < end:
        work.step(subscription, "let_end", cancel_at_period_end=True)
    elif "cancel" in SUBSCRIPTION.triggers_from(subscription.state):
        work.step(subscription, "cancel", canceled_at=work.now)


def require_total(total_minor: int) -> None:
    """Raises Refused for a sum that no invoice may carry."""
    if total_minor > AMOUNT_LIMIT_MINOR:
        raise Refused("exceeds_amount_limit", limit_minor=AMOUNT_LIMIT_MINOR)


def _require_own_term(work: Work, invoice: Invoice) -> None:
    """What confirms a booking is closed with its hold, by the hold's own commands. Raises Refused."""
    booking = work.booking_of(invoice)
    if booking is not None and booking.state == "awaiting_payment":
        raise Refused("invoice_of_booking", booking_id=str(booking.id))


def handle_issue_invoice(command: IssueInvoice, work: Work) -> dict[str, Any]:
    customer_id = work.require_customer()
    require_total(sum(line.quantity * line.unit_amount_minor for line in command.lines))
    invoice = draw_and_open(work, command.invoice_id, customer_id, command.lines)
    return {"invoice_id": str(invoice.id)}


def handle_void_invoice(command: VoidInvoice, work: Work) -> dict[str, Any]:
    invoice = work.get_invoice(command.invoice_id)
    _require_own_term(work, invoice)
    close_unpaid(work, invoice, "void", work.subscription_of(invoice))
    return {"invoice_id": str(invoice.id)}


def handle_expire_invoice(command: ExpireInvoice, work: Work) -> dict[str, Any]:
    invoice = work.get_invoice(command.invoice_id)
    _require_own_term(work, invoice)
    # The database's clock decides, whoever's clock thought it was time.
    if work.now < invoice.expires_at:
        raise Refused("not_due", expires_at=invoice.expires_at.isoformat())
    close_unpaid(work, invoice, "expire", work.subscription_of(invoice))
    return {"invoice_id": str(invoice.id)}
