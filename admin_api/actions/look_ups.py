"""Asking the provider now what became of an attempt or a refund. Commands."""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from admin_api.actions.action import Action
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import Nothing
from admin_api.actions.rows import get_attempt, get_refund
from admin_api.desk import Desk
from bus.messages import RetryLookUp
from state_updater.handlers.look_ups import LOOKED_UP_ATTEMPTS, LOOKED_UP_REFUNDS
from storage.admissions import find_unanswered
from web.commands import Wanted


def _want_of_payment(desk: Desk, connection: Connection, attempt_id: UUID, _sent: Nothing) -> Wanted:
    attempt = get_attempt(connection, attempt_id)
    command = RetryLookUp(
        studio_id=desk.studio_id, customer_id=attempt.customer_id, attempt_id=attempt_id, refund_id=None
    )
    return Wanted(command, attempt_id)


def _want_of_refund(desk: Desk, connection: Connection, refund_id: UUID, _sent: Nothing) -> Wanted:
    refund = get_refund(connection, refund_id)
    command = RetryLookUp(
        studio_id=desk.studio_id, customer_id=refund.customer_id, attempt_id=None, refund_id=refund_id
    )
    return Wanted(command, refund_id)


def _may_ask_of_payment(connection: Connection, attempt_id: UUID) -> bool:
    attempt = get_attempt(connection, attempt_id)
    is_waiting = attempt.state in LOOKED_UP_ATTEMPTS
    return is_waiting or find_unanswered(connection, attempt_id, attempt.invoice_id) is not None


def _may_ask_of_refund(connection: Connection, refund_id: UUID) -> bool:
    return get_refund(connection, refund_id).state in LOOKED_UP_REFUNDS


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "retry_look_up_of_payment",
        "payments.look_up",
        "/payments/{subject_id}/look-up",
        subject="payments",
        body=Nothing,
        want=_want_of_payment,
        is_open=_may_ask_of_payment,
        summary="Ask the provider about an attempt now",
    ),
    command_action(
        "retry_look_up_of_refund",
        "payments.look_up",
        "/refunds/{subject_id}/look-up",
        subject="refunds",
        body=Nothing,
        want=_want_of_refund,
        is_open=_may_ask_of_refund,
        summary="Ask the provider about a refund now",
    ),
)
