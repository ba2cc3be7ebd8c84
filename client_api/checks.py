"""What a provider's question "may I take this money?" is answered. Pure; asked before the money moves.

Called by `admission`, which reads under the customer's lock what this decides over, and stores a yes: while
it is open no other transaction gets one, and the invoice stays as it is.
"""

from collections.abc import Sequence
from datetime import datetime

from booking.rules.machine import PAYABLE_MIN
from client_api.queries.admissions import Admission
from client_api.queries.payments import Attempt
from providers.port import Callback, CheckAnswer


def decide_check(
    attempt: Attempt,
    callback: Callback,
    asked_account_is_test: bool,
    admissions: Sequence[Admission],
    now: datetime,
) -> CheckAnswer:
    """`attempt` is the one that the callback names, of the same account; `now` is the studio's time.

    `admissions`: the one of the asking transaction and the last one of the invoice unless closed, if any.
    """
    if callback.is_test != asked_account_is_test:
        return CheckAnswer.REFUSED
    if callback.customer_reference != str(attempt.customer_id):
        return CheckAnswer.WRONG_CUSTOMER
    was_admitted = is_repeat(attempt, admissions, now)
    if attempt.invoice_state == "expired" or (
        attempt.invoice_state == "open" and not was_admitted and _is_too_late(attempt, now)
    ):
        return CheckAnswer.EXPIRED
    if attempt.invoice_state != "open":
        return CheckAnswer.REFUSED
    if not attempt.is_live:
        return CheckAnswer.WRONG_INVOICE
    asked = (callback.amount_minor, callback.currency)
    if asked != (attempt.amount_minor, attempt.currency) or callback.amount_minor > attempt.due_minor:
        return CheckAnswer.WRONG_AMOUNT
    if not was_admitted and any(each.is_same_transaction or each.is_open_at(now) for each in admissions):
        return CheckAnswer.REFUSED
    return CheckAnswer.ACCEPTED


def is_repeat(attempt: Attempt, admissions: Sequence[Admission], now: datetime) -> bool:
    """This transaction has its leave for this attempt, and it is still open."""
    return any(
        each.is_same_transaction and each.attempt_id == attempt.id and each.is_open_at(now)
        for each in admissions
    )


def _is_too_late(attempt: Attempt, now: datetime) -> bool:
    """A payer at the bank's page needs a moment: a hold is not paid in its last one."""
    if attempt.hold_expires_at is not None:
        return attempt.hold_expires_at - now < PAYABLE_MIN
    return attempt.expires_at <= now
