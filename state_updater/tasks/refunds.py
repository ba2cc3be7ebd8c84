"""Tasks about refunds: send one, and look up what became of one whose answer was lost.

The same rules as for payments. A partial refund repeated blindly would be a second refund, so once the
provider has forgotten the request id only its list of operations and its notification can tell.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from celery import shared_task
from sqlalchemy import text

from bus.messages import RecordRefundOutcome
from kit.canonical import canonical_json
from kit.ids import sha256
from providers.port import NOT_FOUND, LookUp, Outcome, OutcomeKind, RefundRequest
from runtime.crash_points import crash_point
from state_updater.tasks.desk import Desk, desk
from state_updater.tasks.payments import REPEAT_WITHIN
from state_updater.tasks.schedule import look_up_delay_seconds
from storage.provider_calls import Call, CallKind, History, Subject, begin_call, forget_due, history_of

_REFUND = text("""
    SELECT r.id, r.studio_id, r.customer_id, r.invoice_id, r.provider_payment_id, r.provider_account_id,
        r.state, r.amount_minor, r.currency, r.payment_transaction_id, p.attempt_id
    FROM refund r JOIN provider_payment p ON p.id = r.provider_payment_id
    WHERE r.id = :id
""")


class RefundRow:
    """What the tasks read of a refund; plain attributes named as the columns."""

    id: UUID
    studio_id: UUID
    customer_id: UUID | None
    invoice_id: UUID | None
    provider_payment_id: UUID
    provider_account_id: UUID
    attempt_id: UUID | None
    state: str
    amount_minor: int
    currency: str
    payment_transaction_id: str


def _refund_request(refund: RefundRow) -> RefundRequest:
    return RefundRequest(
        refund_id=refund.id,
        request_id=str(refund.id),
        attempt_id=refund.attempt_id or refund.id,
        transaction_id=refund.payment_transaction_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
    )


@shared_task(name="send_refund")
def send_refund(refund_id: str, studio_id: str, correlation_id: str) -> None:
    """Sends a refund that is `sent` and has no definite answer yet."""
    _send(desk(), Subject("refund_id", UUID(refund_id), UUID(studio_id), correlation_id))


@shared_task(name="look_up_refund")
def look_up_refund(refund_id: str, studio_id: str, correlation_id: str) -> None:
    """Finds a refund among the provider's operations; sends it again while that is the same request."""
    _look_up(desk(), Subject("refund_id", UUID(refund_id), UUID(studio_id), correlation_id))


def _begin(at: Desk, subject: Subject, kind: CallKind) -> tuple[RefundRow, History, Call] | None:
    with at.engine.begin() as connection:
        refund: RefundRow = connection.execute(_REFUND, {"id": subject.id}).one()  # type: ignore[assignment]
        history = history_of(connection, subject)
        if refund.state not in {"sent", "unknown"}:
            forget_due(connection, subject)
            return None
        if kind == "refund" and history.has_definite_answer:
            return None
        crash_point("before_call_record")
        call = begin_call(
            connection,
            subject,
            kind,
            request_id=str(refund.id),
            body_hash=sha256(canonical_json(_refund_request(refund))),
            lease_seconds=at.settings.lease_seconds,
        )
    crash_point("after_call_record")
    return (refund, history, call) if call is not None else None


def _may_send(history: History) -> bool:
    """Never sent, or sent so lately that the provider still knows the request id."""
    return history.first_sent_at is None or datetime.now(UTC) - history.first_sent_at <= REPEAT_WITHIN


def _send(at: Desk, subject: Subject) -> None:
    begun = _begin(at, subject, "refund")
    if begun is None:
        return
    refund, history, call = begun
    outcome: LookUp = Outcome(OutcomeKind.UNKNOWN, cause="request_id_forgotten")
    if _may_send(history):
        outcome = at.provider(refund.provider_account_id).refund(_refund_request(refund))
    _conclude(at, refund, call, outcome)


def _look_up(at: Desk, subject: Subject) -> None:
    begun = _begin(at, subject, "look_up")
    if begun is None:
        return
    refund, history, call = begun
    now = datetime.now(UTC)
    first_day = ((history.first_sent_at or now) - timedelta(days=1)).date()
    found = at.provider(refund.provider_account_id).find_refund(
        _refund_request(refund), first_day, now.date()
    )
    _conclude(at, refund, call, found)
    if found is NOT_FOUND and _may_send(history):
        _send(at, subject)


def _conclude(at: Desk, refund: RefundRow, call: Call, found: LookUp) -> None:
    delay = look_up_delay_seconds(call.number, at.settings.look_up_delays_seconds)
    if found is NOT_FOUND:
        at.conclude(call, "not_found", {}, delay, None)
        return
    settled = found.kind in (OutcomeKind.SUCCEEDED, OutcomeKind.DECLINED)
    answer = {"cause": found.cause, **found.answer}
    at.conclude(call, found.kind.value, answer, None if settled else delay, _told(refund, call, found))


def _told(refund: RefundRow, call: Call, outcome: Outcome) -> RecordRefundOutcome | None:
    """The command that tells of this outcome; None when it says nothing new."""
    match outcome.kind:
        case OutcomeKind.SUCCEEDED | OutcomeKind.DECLINED:
            pass
        case OutcomeKind.UNKNOWN if call.kind == "refund":
            pass
        case _:
            # Not sent: nothing happened, it is sent again when due. Pending: the notification tells its end.
            return None
    return RecordRefundOutcome(
        studio_id=refund.studio_id,
        customer_id=refund.customer_id,
        refund_id=refund.id,
        payment_id=refund.provider_payment_id,
        invoice_id=refund.invoice_id,
        provider_account_id=refund.provider_account_id,
        outcome=outcome.kind.value,
        payment_transaction_id=refund.payment_transaction_id,
        provider_refund_id=outcome.transaction_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        decline_code=outcome.decline.code if outcome.decline else None,
    )
