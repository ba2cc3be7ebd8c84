"""What beat asks for every few seconds: pick up what is due. Each finding is a bounded page of rows.

Lost tasks are sent again, calls whose worker never came back become *unknown*; silent pages, leave to take
money whose end was not told and due look-ups are asked about; invoices and holds whose time is over get their
ExpireInvoice and ExpireHold, and visits that are over their CompleteBooking.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from celery import current_app, shared_task
from sqlalchemy import Connection, text

from bus.messages import (
    Command,
    CompleteBooking,
    ExpireHold,
    ExpireInvoice,
    RecordPaymentOutcome,
    RecordRefundOutcome,
)
from kit.ids import derived_id
from runtime.metrics import LAST_SWEEP
from state_updater.tasks.app import QUEUE
from state_updater.tasks.desk import Desk, desk
from storage.admissions import silent_admissions
from storage.bookings import finished_bookings, overdue_holds
from storage.invoices import expired_invoices
from storage.provider_calls import (
    Call,
    Subject,
    claim_due,
    leases_over,
    lost_refunds,
    lost_starts,
    silent_pages,
)

# A refused expiry (money in flight) is accepted again in the next of these windows.
EXPIRY_WINDOW_SECONDS = 300
# A hall is empty meanwhile: a hold that was kept for money that may be moving is looked at sooner.
HOLD_WINDOW_SECONDS = 60

_LOOK_UP = {"attempt_id": "look_up_payment", "refund_id": "look_up_refund"}


@shared_task(name="sweep")
def sweep() -> None:
    """One look at everything that may be due."""
    at = desk()
    _close_leases(at)
    lost_after = at.settings.lost_after_seconds
    with at.engine.begin() as connection:
        starts, refunds = lost_starts(connection, lost_after), lost_refunds(connection, lost_after)
        due = [
            *silent_pages(connection, at.settings.silent_after_seconds),
            *silent_admissions(connection),
            *claim_due(connection, at.settings.look_up_claim_seconds),
        ]
    for subject in starts:
        _send("start_payment", subject)
    for subject in refunds:
        _send("send_refund", subject)
    for subject in dict.fromkeys(due):
        _send(_LOOK_UP[subject.column], subject)
    _command_what_is_due(at)
    LAST_SWEEP.set_to_current_time()


def _send(name: str, subject: Subject) -> None:
    arguments = {
        subject.column: str(subject.id),
        "studio_id": str(subject.studio_id),
        "correlation_id": subject.correlation_id,
    }
    current_app.send_task(name, kwargs=arguments, queue=QUEUE)


_ATTEMPT = text("""
    SELECT a.studio_id, a.customer_id, a.id, a.invoice_id, i.subscription_id, a.provider_account_id
    FROM payment_attempt a JOIN invoice i ON i.id = a.invoice_id WHERE a.id = :id
""")
_REFUND = text("""
    SELECT studio_id, customer_id, id, invoice_id, provider_payment_id, provider_account_id
    FROM refund WHERE id = :id
""")


def _close_leases(at: Desk) -> None:
    """Nobody knows what became of these calls: they are unknown, and to be looked up at once."""
    with at.engine.begin() as connection:
        calls = leases_over(connection)
    for call in calls:
        command = None if call.kind == "look_up" else _lost_answer(at, call)
        at.conclude(call, "unknown", {"cause": "lease_over"}, 0.0, command)


def _lost_answer(at: Desk, call: Call) -> Command:
    with at.engine.begin() as connection:
        if call.subject.column == "attempt_id":
            row = connection.execute(_ATTEMPT, {"id": call.subject.id}).one()
            return RecordPaymentOutcome(
                studio_id=row.studio_id,
                customer_id=row.customer_id,
                payment_id=None,
                attempt_id=row.id,
                invoice_id=row.invoice_id,
                subscription_id=row.subscription_id,
                provider_account_id=row.provider_account_id,
                outcome="unknown",
            )
        row = connection.execute(_REFUND, {"id": call.subject.id}).one()
        return RecordRefundOutcome(
            studio_id=row.studio_id,
            customer_id=row.customer_id,
            refund_id=row.id,
            payment_id=row.provider_payment_id,
            invoice_id=row.invoice_id,
            provider_account_id=row.provider_account_id,
            outcome="unknown",
        )


class _Due(NamedTuple):
    """A command of the clock about `subject_id`: accepted once under its own id."""

    command: Command
    command_id: UUID
    subject_id: UUID
    correlation_id: str


def _command_what_is_due(at: Desk) -> None:
    now_seconds = int(datetime.now(UTC).timestamp())
    with at.engine.begin() as connection:
        accepted = [
            at.accept(connection, due.command, due.command_id, due.subject_id, due.correlation_id)
            for due in (
                *_expired_invoices(connection, now_seconds // EXPIRY_WINDOW_SECONDS),
                *_overdue_holds(connection, now_seconds // HOLD_WINDOW_SECONDS),
                *_finished_bookings(connection),
            )
        ]
    at.outlet.publish(*(each.envelope for each in accepted))


def _expired_invoices(connection: Connection, window: int) -> Iterator[_Due]:
    for invoice in expired_invoices(connection):
        command = ExpireInvoice(
            studio_id=invoice.studio_id,
            customer_id=invoice.customer_id,
            invoice_id=invoice.id,
            subscription_id=invoice.subscription_id,
        )
        command_id = derived_id("expire_invoice", invoice.id, window)
        yield _Due(command, command_id, invoice.id, invoice.correlation_id)


def _overdue_holds(connection: Connection, window: int) -> Iterator[_Due]:
    for booking in overdue_holds(connection):
        command = ExpireHold(
            studio_id=booking.studio_id, customer_id=booking.customer_id, booking_id=booking.id
        )
        command_id = derived_id("expire_hold", booking.id, window)
        yield _Due(command, command_id, booking.id, booking.correlation_id)


def _finished_bookings(connection: Connection) -> Iterator[_Due]:
    """By its end, too: who has been moved is finished another time."""
    for booking in finished_bookings(connection):
        command = CompleteBooking(
            studio_id=booking.studio_id,
            customer_id=booking.customer_id,
            booking_id=booking.id,
            origin="clock",
        )
        command_id = derived_id("complete_booking", booking.id, booking.ends_at.astimezone(UTC))
        yield _Due(command, command_id, booking.id, booking.correlation_id)
