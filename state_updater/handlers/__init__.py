"""One handler per command, and the one map that finds it.

A handler takes the command and its `Work`, returns the JSON result that the sender will read, or raises
Refused before it has changed anything. It does no I/O of its own.
"""

from collections.abc import Callable
from typing import Any

from bus.messages import Command
from kit.errors import InvalidMessage, InvariantViolated, Refused
from state_updater.handlers.bookings import (
    handle_cancel_booking,
    handle_complete_booking,
    handle_mark_no_show,
    handle_reschedule_booking,
)
from state_updater.handlers.halls import handle_block_hall, handle_unblock_hall
from state_updater.handlers.holds import (
    handle_check_out_booking,
    handle_expire_hold,
    handle_hold_booking,
)
from state_updater.handlers.invoices import (
    handle_expire_invoice,
    handle_issue_invoice,
    handle_void_invoice,
)
from state_updater.handlers.look_ups import handle_retry_look_up
from state_updater.handlers.payments import handle_record_payment_outcome, handle_start_payment
from state_updater.handlers.periods import handle_end_subscription, handle_renew_subscription
from state_updater.handlers.refunds import (
    handle_approve_refund,
    handle_decline_refund,
    handle_record_refund_outcome,
    handle_reject_refund,
    handle_request_refund,
)
from state_updater.handlers.subscriptions import (
    handle_cancel_subscription,
    handle_change_subscription,
    handle_create_subscription,
)
from state_updater.work import Work

Result = dict[str, Any]

HANDLERS: dict[str, Callable[[Any, Work], Result]] = {
    "CreateSubscription": handle_create_subscription,
    "ChangeSubscription": handle_change_subscription,
    "CancelSubscription": handle_cancel_subscription,
    "RenewSubscription": handle_renew_subscription,
    "EndSubscription": handle_end_subscription,
    "IssueInvoice": handle_issue_invoice,
    "HoldBooking": handle_hold_booking,
    "CheckOutBooking": handle_check_out_booking,
    "ExpireHold": handle_expire_hold,
    "RescheduleBooking": handle_reschedule_booking,
    "CancelBooking": handle_cancel_booking,
    "CompleteBooking": handle_complete_booking,
    "MarkNoShow": handle_mark_no_show,
    "BlockHall": handle_block_hall,
    "UnblockHall": handle_unblock_hall,
    "VoidInvoice": handle_void_invoice,
    "ExpireInvoice": handle_expire_invoice,
    "StartPayment": handle_start_payment,
    "RecordPaymentOutcome": handle_record_payment_outcome,
    "RequestRefund": handle_request_refund,
    "ApproveRefund": handle_approve_refund,
    "RejectRefund": handle_reject_refund,
    "DeclineRefund": handle_decline_refund,
    "RecordRefundOutcome": handle_record_refund_outcome,
    "RetryLookUp": handle_retry_look_up,
}


def handle(command: Command, work: Work) -> Result:
    """Runs the command's handler.

    Raises Refused or InvalidMessage, with nothing changed, or InvariantViolated: our bug.
    """
    handler = HANDLERS.get(type(command).__name__)
    if handler is None:
        raise InvariantViolated("no_handler", kind=type(command).__name__)
    try:
        return handler(command, work)
    except (Refused, InvalidMessage) as no:
        if work.has_changed:
            kind = type(command).__name__
            raise InvariantViolated("refused_after_change", kind=kind, reason=no.code) from no
        raise
