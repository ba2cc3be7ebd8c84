"""Asking a provider before the next look-up is due, because staff does not want to wait for it."""

from typing import Any

from billing.payments import ANSWERABLE
from bus.messages import RetryLookUp
from kit.errors import Refused
from state_updater.rows import Attempt, Refund
from state_updater.work import Work

# An attempt that is `sent` waits for its first request: a look-up would take its place, and nobody would ask
# for the page. One at rest is looked up for a transaction whose end nobody has told. The look-up of a refund
# sends what has not gone out.
LOOKED_UP_ATTEMPTS = frozenset(ANSWERABLE) - {"sent"}
LOOKED_UP_REFUNDS = frozenset({"sent", "unknown"})


def handle_retry_look_up(command: RetryLookUp, work: Work) -> dict[str, Any]:
    """Changes no state: what the task finds is a command of its own. While a call is out it does nothing."""
    if command.attempt_id is not None:
        attempt = work.get_attempt(command.attempt_id)
        if not work.has_unanswered_admission(attempt):
            _require(attempt, LOOKED_UP_ATTEMPTS)
        work.want_task("look_up_payment", attempt_id=attempt.id)
        return {"attempt_id": str(attempt.id)}
    assert command.refund_id is not None
    refund = work.get_refund(command.refund_id)
    _require(refund, LOOKED_UP_REFUNDS)
    work.want_task("look_up_refund", refund_id=refund.id)
    return {"refund_id": str(refund.id)}


def _require(row: Attempt | Refund, states: frozenset[str]) -> None:
    if row.state not in states:
        raise Refused("nothing_to_look_up", state=row.state)
