"""What a provider's question "may I take this money?" is answered. Pure; asked before the money moves.

A yes here binds nobody: what happens between the answer and the charge is the callback's matter.
"""

from datetime import datetime

from client_api.queries.payments import Attempt
from providers.port import Callback, CheckAnswer


def decide_check(
    attempt: Attempt | None, callback: Callback, asked_account_is_test: bool, now: datetime
) -> CheckAnswer:
    """`attempt` is the one that the callback names, of the same account; `now` is the studio's time."""
    if attempt is None:
        return CheckAnswer.WRONG_INVOICE
    if callback.is_test != asked_account_is_test:
        return CheckAnswer.REFUSED
    if callback.customer_reference != str(attempt.customer_id):
        return CheckAnswer.WRONG_CUSTOMER
    if attempt.invoice_state == "expired" or (attempt.invoice_state == "open" and attempt.expires_at <= now):
        return CheckAnswer.EXPIRED
    if attempt.invoice_state != "open":
        return CheckAnswer.REFUSED
    if not attempt.is_live:
        return CheckAnswer.WRONG_INVOICE
    asked = (callback.amount_minor, callback.currency)
    if asked != (attempt.amount_minor, attempt.currency) or callback.amount_minor > attempt.due_minor:
        return CheckAnswer.WRONG_AMOUNT
    return CheckAnswer.ACCEPTED
