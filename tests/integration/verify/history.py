"""A studio's history, made by the real commands through the real handlers, with everything in it once.

Called by the tests of this folder. What comes out is at rest and without fault: what a planted violation then
breaks is seen against it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from billing.subscriptions import renewal_invoice_id
from bus.messages import (
    ApproveRefund,
    CancelSubscription,
    CreateSubscription,
    InvoiceLine,
    IssueInvoice,
    RecordPaymentOutcome,
    RecordRefundOutcome,
    RenewSubscription,
    RequestRefund,
    StartPayment,
    VoidInvoice,
)
from cli.demo import DEMO_PROVIDER_ACCOUNT_ID, DEMO_STUDIO_ID, OFFERS, TwinAccount, seed_demo
from kit.ids import new_id
from storage.sealing import new_sealing_key
from tests.integration.verify.applying import Applied
from tests.integration.verify.visits import Visits

PUBLIC_ID = "pk_history"
PRICE_MINOR = OFFERS[1].amount_minor
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class History(Applied):
    """The ids of what happened, by what a test wants to break."""

    customer_id: UUID = field(default_factory=new_id)
    subscription_id: UUID = field(default_factory=new_id)
    paid_invoice_id: UUID = field(default_factory=new_id)
    paid_attempt_id: UUID = field(default_factory=new_id)
    payment_id: UUID = field(default_factory=new_id)
    refund_id: UUID = field(default_factory=new_id)
    waiting_refund_id: UUID = field(default_factory=new_id)
    cabinet_refund_id: UUID = field(default_factory=new_id)
    early_refund_id: UUID = field(default_factory=new_id)
    late_payment_id: UUID = field(default_factory=new_id)
    unapplied_payment_id: UUID = field(default_factory=new_id)
    void_invoice_id: UUID = field(default_factory=new_id)
    declined_attempt_id: UUID = field(default_factory=new_id)
    canceled_attempt_id: UUID = field(default_factory=new_id)
    renewed_subscription_id: UUID = field(default_factory=new_id)
    renewal_invoice_id: UUID = field(default_factory=new_id)
    visits: Visits = field(init=False)


_CUSTOMER = text(
    "INSERT INTO customer (id, studio_id, email, name) VALUES (:id, :studio_id, 'payer@example.org', 'Payer')"
)
_ENDS_AT = text("SELECT current_period_end FROM subscription WHERE id = :id")
_BASE = {"studio_id": DEMO_STUDIO_ID}


def make_history(url: str, *, with_visits: bool = True) -> History:
    """Seeds the demo studio, lets everything happen, and lets the outbox leave."""
    history = History(url)
    account = TwinAccount(PUBLIC_ID, "secret", "http://127.0.0.1:1", "http://127.0.0.1:1/w.js")
    with history.engine.begin() as connection:
        seed_demo(connection, new_sealing_key(), account)
        connection.execute(_CUSTOMER, {"id": history.customer_id, **_BASE})
    _subscribe_and_pay(history)
    _pay_twice(history)
    _give_back(history)
    _give_back_before_payment(history)
    _fail_and_void(history)
    _renew_and_let_end(history)
    history.visits = Visits(history, history.customer_id)
    if with_visits:
        history.visits.happen()
    with history.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = clock_timestamp()"))
    return history


def _subscribe_and_pay(history: History) -> None:
    ids = {**_BASE, "customer_id": history.customer_id}
    history.apply(
        CreateSubscription(
            **ids,
            subscription_id=history.subscription_id,
            invoice_id=history.paid_invoice_id,
            price_id=OFFERS[1].price_id,
        )
    )
    history.apply(_start(history, history.paid_attempt_id, history.paid_invoice_id, "widget"))
    history.apply(_money(history, history.payment_id, "1001", history.paid_attempt_id), "callback:test")


def _pay_twice(history: History) -> None:
    """One page takes money twice: the second sum is unapplied, and partly given back in the cabinet."""
    history.apply(
        _money(history, history.unapplied_payment_id, "1002", history.paid_attempt_id), "callback:test"
    )
    refund = _refund_outcome(history, history.cabinet_refund_id, history.unapplied_payment_id, "2001", 40_000)
    history.apply(refund, "callback:test")


def _give_back(history: History) -> None:
    for refund_id, amount_minor in ((history.refund_id, 50_000), (history.waiting_refund_id, 10_000)):
        history.apply(
            RequestRefund(
                **_BASE,
                customer_id=history.customer_id,
                refund_id=refund_id,
                payment_id=history.payment_id,
                invoice_id=history.paid_invoice_id,
                amount_minor=amount_minor,
                reason="changed my mind",
                origin="customer",
            )
        )
    approved = ApproveRefund(
        **_BASE,
        customer_id=history.customer_id,
        refund_id=history.refund_id,
        payment_id=history.payment_id,
        invoice_id=history.paid_invoice_id,
    )
    history.apply(approved, "staff:test")
    history.call("refund", 1, refund_id=history.refund_id)
    outcome = _refund_outcome(history, history.refund_id, history.payment_id, "2002", 50_000)
    history.apply(outcome, "task:test")


def _give_back_before_payment(history: History) -> None:
    """The refund of a payment is heard of before the payment, and is larger."""
    early = _refund_outcome(history, history.early_refund_id, None, "2003", 9_000)
    history.apply(early.model_copy(update={"payment_transaction_id": "1003"}), "callback:test")
    late = _money(history, history.late_payment_id, "1003", None).model_copy(update={"amount_minor": 7_000})
    history.apply(late, "callback:test")


def _fail_and_void(history: History) -> None:
    """A link whose answer is lost, then found declined; a page that closes as the invoice is taken back."""
    line = InvoiceLine(description="Барабаны", quantity=2, unit_amount_minor=30_000)
    issued = IssueInvoice(
        **_BASE, customer_id=history.customer_id, invoice_id=history.void_invoice_id, lines=(line,)
    )
    history.apply(issued, "staff:test")
    history.apply(_start(history, history.declined_attempt_id, history.void_invoice_id, "link"))
    for number, outcome in enumerate(("unknown", "declined"), start=1):
        history.call("look_up", number, attempt_id=history.declined_attempt_id)
        told = _money(history, None, None, history.declined_attempt_id, history.void_invoice_id)
        history.apply(told.model_copy(update={"outcome": outcome}), "task:test")
    history.apply(_start(history, history.canceled_attempt_id, history.void_invoice_id, "widget"))
    void = VoidInvoice(
        **_BASE,
        customer_id=history.customer_id,
        invoice_id=history.void_invoice_id,
        subscription_id=None,
        reason="a mistake",
    )
    history.apply(void, "staff:test")
    history.apply(void, "staff:test")  # refused: it is void


def _renew_and_let_end(history: History) -> None:
    """A subscription goes on for one period more, and is to end with that."""
    ids = {**_BASE, "customer_id": history.customer_id, "subscription_id": history.renewed_subscription_id}
    first_invoice_id = new_id()
    history.apply(CreateSubscription(**ids, invoice_id=first_invoice_id, price_id=OFFERS[1].price_id))
    _pay_for(history, first_invoice_id, "1004")
    with history.engine.begin() as connection:
        ends_at = connection.execute(_ENDS_AT, {"id": history.renewed_subscription_id}).scalar_one()
    history.renewal_invoice_id = renewal_invoice_id(history.renewed_subscription_id, ends_at)
    renew = RenewSubscription(**ids, invoice_id=history.renewal_invoice_id, period_start=ends_at)
    history.apply(renew, "cron:renewal")
    _pay_for(history, history.renewal_invoice_id, "1005")
    history.apply(CancelSubscription(**ids, at_period_end=True))


def _pay_for(history: History, invoice_id: UUID, transaction_id: str) -> None:
    """An invoice of the renewed subscription, paid on a page of its own."""
    attempt_id = new_id()
    history.apply(_start(history, attempt_id, invoice_id, "widget"))
    told = _money(history, new_id(), transaction_id, attempt_id, invoice_id)
    history.apply(
        told.model_copy(update={"subscription_id": history.renewed_subscription_id}), "callback:test"
    )


def _start(history: History, attempt_id: UUID, invoice_id: UUID, method: str) -> StartPayment:
    return StartPayment.model_validate(
        {
            **_BASE,
            "customer_id": history.customer_id,
            "attempt_id": attempt_id,
            "invoice_id": invoice_id,
            "provider_account_id": DEMO_PROVIDER_ACCOUNT_ID,
            "method": method,
            "return_url": "http://localhost/",
        }
    )


def _money(
    history: History,
    payment_id: UUID | None,
    transaction_id: str | None,
    attempt_id: UUID | None,
    invoice_id: UUID | None = None,
) -> RecordPaymentOutcome:
    return RecordPaymentOutcome(
        **_BASE,
        customer_id=history.customer_id,
        payment_id=payment_id,
        attempt_id=attempt_id,
        invoice_id=(invoice_id or history.paid_invoice_id) if attempt_id else None,
        subscription_id=history.subscription_id if attempt_id and not invoice_id else None,
        provider_account_id=DEMO_PROVIDER_ACCOUNT_ID,
        outcome="succeeded",
        transaction_id=transaction_id,
        amount_minor=PRICE_MINOR if transaction_id else None,
        currency="RUB" if transaction_id else None,
    )


def _refund_outcome(
    history: History, refund_id: UUID, payment_id: UUID | None, provider_refund_id: str, amount_minor: int
) -> RecordRefundOutcome:
    return RecordRefundOutcome(
        **_BASE,
        customer_id=history.customer_id,
        refund_id=refund_id,
        payment_id=payment_id,
        invoice_id=history.paid_invoice_id if payment_id == history.payment_id else None,
        provider_account_id=DEMO_PROVIDER_ACCOUNT_ID,
        outcome="succeeded",
        provider_refund_id=provider_refund_id,
        amount_minor=amount_minor,
        currency="RUB",
    )
