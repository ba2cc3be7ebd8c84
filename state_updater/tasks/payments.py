"""Tasks about payment attempts: ask the provider for a payment page, and look up what became of an attempt.

A page is asked for once. If the answer is lost, the same request with the same id is repeated while the
provider still remembers it, otherwise never. *Unknown* stays unknown until there is evidence. So does a
transaction that had leave to take money, also when its attempt is closed.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from celery import shared_task
from sqlalchemy import text

from billing.payments import ANSWERABLE, IN_FLIGHT, LIVE, received_payment_id
from bus.messages import RecordPaymentOutcome
from kit.canonical import canonical_json
from kit.ids import sha256
from providers.port import NOT_FOUND, LookUp, Outcome, OutcomeKind, PaymentRequest
from runtime.crash_points import crash_point
from state_updater.tasks.desk import Desk, desk
from state_updater.tasks.schedule import look_up_delay_seconds
from storage.admissions import find_unanswered
from storage.provider_calls import Call, CallKind, History, Subject, begin_call, forget_due, history_of

# CloudPayments keeps the answer of a request id for an hour; well inside it a repeat is the same request.
REPEAT_WITHIN = timedelta(minutes=50)
# "No such payment" proves that nothing went out only after the longest authorization, said this often.
NOT_FOUND_AFTER = timedelta(minutes=15)
NOT_FOUND_TIMES = 3

_ATTEMPT = text("""
    SELECT a.id, a.studio_id, a.customer_id, a.invoice_id, a.provider_account_id, a.state, a.method,
        a.amount_minor, a.currency, a.return_url, i.number AS invoice_number, i.subscription_id
    FROM payment_attempt a JOIN invoice i ON i.id = a.invoice_id
    WHERE a.id = :id
""")


class AttemptRow:
    """What the tasks read of an attempt; plain attributes named as the columns."""

    id: UUID
    studio_id: UUID
    customer_id: UUID
    invoice_id: UUID
    subscription_id: UUID | None
    provider_account_id: UUID
    state: str
    amount_minor: int
    currency: str
    return_url: str
    invoice_number: str


def _payment_request(attempt: AttemptRow) -> PaymentRequest:
    return PaymentRequest(
        attempt_id=attempt.id,
        request_id=str(attempt.id),
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        description=f"Счёт {attempt.invoice_number}",
        customer_reference=str(attempt.customer_id),
        return_url=attempt.return_url,
    )


def _body_hash(request: object) -> bytes:
    return sha256(canonical_json(request))


@shared_task(name="start_payment")
def start_payment(attempt_id: str, studio_id: str, correlation_id: str) -> None:
    """Asks for the payment page of an attempt that is `sent` and has not been called about yet."""
    _create(desk(), Subject("attempt_id", UUID(attempt_id), UUID(studio_id), correlation_id))


@shared_task(name="look_up_payment")
def look_up_payment(attempt_id: str, studio_id: str, correlation_id: str) -> None:
    """Finds out what the provider knows of an attempt that waits for news."""
    _look_up(desk(), Subject("attempt_id", UUID(attempt_id), UUID(studio_id), correlation_id))


def _begin(
    at: Desk, subject: Subject, kind: CallKind, states: set[str]
) -> tuple[AttemptRow, History, Call] | None:
    """Records a call about an attempt in one of `states`; None if there is nothing to call about now."""
    with at.engine.begin() as connection:
        attempt: AttemptRow = connection.execute(_ATTEMPT, {"id": subject.id}).one()  # type: ignore[assignment]
        history = history_of(connection, subject)
        if attempt.state not in states:
            forget_due(connection, subject)
            return None
        if kind == "create" and history.has_definite_answer:
            return None
        crash_point("before_call_record")
        call = begin_call(
            connection,
            subject,
            kind,
            request_id=str(attempt.id),
            body_hash=_body_hash(_payment_request(attempt)),
            lease_seconds=at.settings.lease_seconds,
        )
    crash_point("after_call_record")
    return (attempt, history, call) if call is not None else None


def _create(at: Desk, subject: Subject) -> None:
    begun = _begin(at, subject, "create", {"sent", "unknown"})
    if begun is None:
        return
    attempt, history, call = begun
    if history.first_sent_at and datetime.now(UTC) - history.first_sent_at > REPEAT_WITHIN:
        # Too late to repeat: the provider no longer knows the request id, so a second page would be new.
        outcome: LookUp = Outcome(OutcomeKind.UNKNOWN, cause="request_id_forgotten")
    else:
        outcome = at.provider(attempt.provider_account_id).create_payment(_payment_request(attempt))
        if outcome.kind is OutcomeKind.NOT_SENT and history.first_sent_at is not None:
            # That this repeat did not go out says nothing of the request before it.
            outcome = Outcome(OutcomeKind.UNKNOWN, cause=outcome.cause)
    _conclude(at, attempt, call, outcome, history)


def _look_up(at: Desk, subject: Subject) -> None:
    """The attempt while it waits for news; and whatever its state, a transaction of it that had its leave."""
    _look_up_attempt(at, subject)
    _look_up_transaction(at, subject)


def _look_up_attempt(at: Desk, subject: Subject) -> None:
    begun = _begin(at, subject, "look_up", set(ANSWERABLE))
    if begun is None:
        return
    attempt, history, call = begun
    outcome = at.provider(attempt.provider_account_id).find_payment(attempt.id)
    _conclude(at, attempt, call, outcome, history)
    if outcome is NOT_FOUND and attempt.state == "unknown" and _may_repeat(history):
        # Nobody has paid, because nobody has the page: ask for it again, with the very same request.
        _create(at, subject)


def _look_up_transaction(at: Desk, subject: Subject) -> None:
    """By the provider's id for it: asked about an attempt, it tells of the last transaction alone."""
    with at.engine.begin() as connection:
        attempt: AttemptRow = connection.execute(_ATTEMPT, {"id": subject.id}).one()  # type: ignore[assignment]
        unanswered = find_unanswered(connection, attempt.id, attempt.invoice_id)
        if unanswered is None:
            return
        call = begin_call(
            connection,
            subject,
            "look_up",
            request_id=unanswered.transaction_id,
            body_hash=_body_hash({"transaction_id": unanswered.transaction_id}),
            lease_seconds=at.settings.lease_seconds,
        )
    crash_point("after_call_record")
    if call is None:
        return
    found = at.provider(attempt.provider_account_id).find_transaction(attempt.id, unanswered.transaction_id)
    # Also when the end is told: what tells of it closes the leave, or is asked for again.
    delay = None
    if unanswered.is_asked_on or attempt.state in LIVE:
        delay = look_up_delay_seconds(call.number, at.settings.look_up_delays_seconds)
    if found is NOT_FOUND:
        at.conclude(call, "not_found", {}, delay, None)
        return
    answer = {"cause": found.cause, **found.answer}
    command = _command(attempt, found) if _is_end(attempt, found) else None
    at.conclude(call, found.kind.value, answer, delay, command)


def _is_end(attempt: AttemptRow, outcome: Outcome) -> bool:
    """What became of the transaction is known. While another may be moving money, that it was declined would
    be taken to be said of that one."""
    if outcome.kind is OutcomeKind.DECLINED:
        return outcome.transaction_id is not None and attempt.state not in IN_FLIGHT
    return outcome.kind is OutcomeKind.SUCCEEDED


def _may_repeat(history: History) -> bool:
    return history.first_sent_at is not None and datetime.now(UTC) - history.first_sent_at <= REPEAT_WITHIN


def _is_proven_absent(attempt: AttemptRow, history: History) -> bool:
    return (
        attempt.state == "unknown"
        and history.last_sent_at is not None
        and datetime.now(UTC) - history.last_sent_at > NOT_FOUND_AFTER
        and not _may_repeat(history)
        and history.misses + 1 >= NOT_FOUND_TIMES
    )


def _conclude(at: Desk, attempt: AttemptRow, call: Call, found: LookUp, history: History) -> None:
    if found is not NOT_FOUND:
        outcome = found
    elif _is_proven_absent(attempt, history):
        outcome = Outcome(OutcomeKind.NOT_SENT, cause="not_found")
    else:
        outcome = None
    delay = look_up_delay_seconds(call.number, at.settings.look_up_delays_seconds)
    if outcome is None:
        at.conclude(call, "not_found", {}, delay, None)
        return
    settled = outcome.kind in (OutcomeKind.SUCCEEDED, OutcomeKind.NOT_SENT)
    answer = {"cause": outcome.cause, **outcome.answer}
    at.conclude(
        call,
        outcome.kind.value,
        answer,
        None if settled else delay,
        _told(attempt, call, outcome),
    )


def _is_news(attempt: AttemptRow, outcome: Outcome) -> bool:
    """A look-up that finds what we know, or a declined try on a page that is still open, tells nothing."""
    if outcome.kind is OutcomeKind.DECLINED:
        return attempt.state != "requires_action"
    return outcome.kind is not OutcomeKind.UNKNOWN and outcome.kind.value != attempt.state


def _told(attempt: AttemptRow, call: Call, outcome: Outcome) -> RecordPaymentOutcome | None:
    """The command that tells of this outcome; None when it says nothing new."""
    if call.kind == "look_up" and not _is_news(attempt, outcome):
        return None
    return _command(attempt, outcome)


def _command(attempt: AttemptRow, outcome: Outcome) -> RecordPaymentOutcome:
    transaction_id = outcome.transaction_id
    is_money = outcome.kind is OutcomeKind.SUCCEEDED
    return RecordPaymentOutcome(
        studio_id=attempt.studio_id,
        customer_id=attempt.customer_id,
        payment_id=received_payment_id(attempt.provider_account_id, str(transaction_id))
        if is_money
        else None,
        attempt_id=attempt.id,
        invoice_id=attempt.invoice_id,
        subscription_id=attempt.subscription_id,
        provider_account_id=attempt.provider_account_id,
        outcome=outcome.kind.value,
        transaction_id=transaction_id,
        amount_minor=outcome.amount_minor,
        currency=outcome.currency,
        redirect_url=outcome.redirect_url,
        decline_code=outcome.decline.code if outcome.decline else None,
        decline_category=outcome.decline.category.value if outcome.decline else None,
        card_mask=outcome.card_mask,
    )
