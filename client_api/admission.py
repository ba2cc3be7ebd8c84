"""Answers a provider's Check: one transaction of an invoice at a time gets leave to take its money.

Called by `callbacks`. What is decided is read under the lock that the commands of that customer are applied
under, and a yes is committed before it is said. Who dies in between leaves an admission behind: the provider
asks again and gets the same yes, or tells of a failure. If it says nothing, another may have its turn when
the time of the admission is over, and the worker asks what became of it. Nothing here moves money or state.
"""

from uuid import UUID

from sqlalchemy import Connection

from client_api.checks import decide_check, is_repeat
from client_api.outcomes import named_attempt
from client_api.queries.admissions import (
    CustomerBusy,
    get_studio_time,
    list_admissions,
    lock_customer,
    store_admission,
)
from client_api.queries.payments import get_attempt
from client_api.services import Services
from providers.port import Callback, CheckAnswer, ProviderAccount
from runtime.crash_points import crash_point
from runtime.metrics import CALLBACKS
from storage.database import tenant

# How a check is counted that found its customer's lock taken; it is answered as refused.
BUSY = "busy"


def answer_check(
    services: Services, studio_id: UUID, account: ProviderAccount, callback: Callback
) -> CheckAnswer:
    """One transaction: decides, and stores a yes. Idempotent by provider account and transaction."""
    try:
        with tenant(services.engine, studio_id) as connection:
            answer = _decide(connection, account, callback)
    except CustomerBusy:
        CALLBACKS.labels("check", BUSY).inc()
        return CheckAnswer.REFUSED
    crash_point("after_check_commit")
    CALLBACKS.labels("check", answer.value).inc()
    return answer


def _decide(connection: Connection, account: ProviderAccount, callback: Callback) -> CheckAnswer:
    found = named_attempt(connection, account.account_id, callback)
    if found is None:
        return CheckAnswer.WRONG_INVOICE
    lock_customer(connection, found.customer_id)
    # Read again: what was true before the lock may not be so any more.
    attempt = get_attempt(connection, found.id)
    admissions = list_admissions(connection, attempt, callback)
    now = get_studio_time(connection, attempt.studio_id)
    answer = decide_check(attempt, callback, account.is_test, admissions, now)
    if answer is not CheckAnswer.ACCEPTED or is_repeat(attempt, admissions, now):
        return answer
    return answer if store_admission(connection, attempt, callback, now) else CheckAnswer.REFUSED
