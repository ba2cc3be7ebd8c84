"""Turns a provider's verified notification into the command that records it.

Nothing is refused here: what names an order that we do not have is recorded with empty ids, and its money
waits as unapplied.
"""

from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from billing.payments import received_payment_id
from bus.messages import Command, RecordPaymentOutcome, RecordRefundOutcome
from client_api.queries.callbacks import find_payment, find_refund
from client_api.queries.payments import Attempt, find_attempt
from client_api.queries.studios import get_studio
from kit.ids import derived_id
from providers.port import Callback, CallbackKind

# One-stage payments only: any other status of a pay notification is no money yet.
PAID_STATUS = "Completed"


def reason_to_set_aside(callback: Callback, account_is_test: bool) -> str | None:
    """Why a notification is stored and moves nothing; None for the ordinary ones."""
    if callback.is_test != account_is_test and callback.kind is not CallbackKind.REFUND:
        return "test_mode"
    if callback.kind is CallbackKind.PAY and callback.status != PAID_STATUS:
        return "unexpected_status"
    return None


def named_attempt(connection: Connection, account_id: UUID, callback: Callback) -> Attempt | None:
    """The attempt that a notification names, if it is one of the same provider account."""
    attempt_id = _uuid(callback.attempt_reference)
    attempt = find_attempt(connection, attempt_id) if attempt_id else None
    return attempt if attempt and attempt.provider_account_id == account_id else None


def command_of(connection: Connection, studio_id: UUID, account_id: UUID, callback: Callback) -> Command:
    """For pay, fail and refund; a check is a question and has no command."""
    match callback.kind:
        case CallbackKind.PAY:
            return _paid(connection, studio_id, account_id, callback)
        case CallbackKind.FAIL:
            return _declined(connection, studio_id, account_id, callback)
        case CallbackKind.REFUND:
            return _refunded(connection, studio_id, account_id, callback)
        case CallbackKind.CHECK:
            raise ValueError("a check has no command")
        case _:
            assert_never(callback.kind)


def _paid(
    connection: Connection, studio_id: UUID, account_id: UUID, callback: Callback
) -> RecordPaymentOutcome:
    attempt = named_attempt(connection, account_id, callback)
    return RecordPaymentOutcome(
        studio_id=studio_id,
        customer_id=attempt.customer_id if attempt else None,
        payment_id=received_payment_id(account_id, callback.transaction_id),
        attempt_id=attempt.id if attempt else None,
        invoice_id=attempt.invoice_id if attempt else None,
        subscription_id=attempt.subscription_id if attempt else None,
        provider_account_id=account_id,
        outcome="succeeded",
        transaction_id=callback.transaction_id,
        amount_minor=callback.amount_minor,
        currency=callback.currency,
        card_mask=callback.card_mask,
    )


def _declined(
    connection: Connection, studio_id: UUID, account_id: UUID, callback: Callback
) -> RecordPaymentOutcome:
    attempt = named_attempt(connection, account_id, callback)
    decline = callback.decline
    return RecordPaymentOutcome(
        studio_id=studio_id,
        customer_id=attempt.customer_id if attempt else None,
        payment_id=None,
        attempt_id=attempt.id if attempt else None,
        invoice_id=attempt.invoice_id if attempt else None,
        subscription_id=attempt.subscription_id if attempt else None,
        provider_account_id=account_id,
        outcome="declined",
        transaction_id=callback.transaction_id,
        decline_code=decline.code[:200] if decline else None,
        decline_category=decline.category.value if decline else None,
        card_mask=callback.card_mask,
    )


def _refunded(
    connection: Connection, studio_id: UUID, account_id: UUID, callback: Callback
) -> RecordRefundOutcome:
    attempt = named_attempt(connection, account_id, callback)
    payment = find_payment(connection, account_id, callback.payment_transaction_id or "")
    refund = find_refund(
        connection,
        account_id,
        callback,
        _uuid(callback.refund_reference or ""),
        payment.id if payment else None,
    )
    made_elsewhere = derived_id("refund", account_id, callback.transaction_id)
    # The refund may be told of before its payment: then the attempt says whose it is.
    known = [each for each in (refund, payment, attempt) if each is not None]
    # CloudPayments does not say a refund's currency: it is the payment's, and a terminal has one.
    currencies = [callback.currency, *(each.currency for each in (payment, attempt) if each is not None)]
    return RecordRefundOutcome(
        studio_id=studio_id,
        customer_id=next((each.customer_id for each in known if each.customer_id), None),
        refund_id=refund.id if refund else made_elsewhere,
        payment_id=payment.id if payment else None,
        invoice_id=next((each.invoice_id for each in known if each.invoice_id), None),
        provider_account_id=account_id,
        outcome="succeeded",
        provider_refund_id=callback.transaction_id,
        payment_transaction_id=callback.payment_transaction_id,
        amount_minor=callback.amount_minor,
        currency=next(filter(None, currencies), None) or get_studio(connection, studio_id).currency,
    )


def _uuid(reference: str) -> UUID | None:
    # Only our own way of writing an id: the constructor would take braces, URNs and any case.
    try:
        found = UUID(reference)
    except ValueError:
        return None
    return found if str(found) == reference else None
