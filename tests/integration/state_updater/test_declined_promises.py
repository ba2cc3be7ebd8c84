"""Refunds that were promised and that the provider declines: what is owed still, until it is made good."""

from collections.abc import Sequence
from uuid import UUID

from typer.testing import CliRunner

from bus.messages import RecordPaymentOutcome, RecordRefundOutcome
from cli.main import app
from kit.ids import new_id
from storage.database import create_role_engine
from storage.verification import ROLE, Owed, verify
from tests.integration.state_updater.shops import faults
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

CHEAPER_MINOR = 100_000


def _told(stage: Stage, paid: RecordPaymentOutcome, outcome: str, states: Sequence[str] = ("sent",)) -> UUID:
    """What the provider says of the last refund of a payment that is in one of these states."""
    (refund_id,) = stage.rows(
        "SELECT id FROM refund WHERE provider_payment_id = :id AND state = ANY (:states)"
        " ORDER BY created_at DESC LIMIT 1",
        id=paid.payment_id,
        states=list(states),
    )[0]
    told = {"decline_code": "CardClosed"} if outcome == "declined" else {"provider_refund_id": str(refund_id)}
    fields = {
        "studio_id": stage.studio_id,
        "customer_id": stage.customer_id,
        "refund_id": refund_id,
        "payment_id": paid.payment_id,
        "invoice_id": paid.invoice_id,
        "provider_account_id": stage.account_id,
        "outcome": outcome,
    }
    assert stage.tell(RecordRefundOutcome.model_validate(fields | told)) == ["applied"]
    return UUID(str(refund_id))


def _owed(stage: Stage) -> list[int]:
    found = stage.rows("SELECT amount_minor FROM refund_owed WHERE studio_id = :studio ORDER BY payment_id")
    return [int(amount) for (amount,) in found]


def _reported(stage: Stage) -> list[Owed]:
    engine = create_role_engine(stage.url, ROLE, "test")
    try:
        report = verify(engine)
    finally:
        engine.dispose()
    assert report.is_clean
    return [one for one in report.owed if one.studio_id == stage.studio_id]


def _ask(stage: Stage, paid: RecordPaymentOutcome, amount_minor: int) -> UUID:
    """By staff, on its way."""
    refund_id = new_id()
    asked = stage.request(refund_id, paid, amount_minor, origin="staff")
    assert stage.tell(asked, stage.approve(refund_id, paid)) == ["applied"] * 2
    return refund_id


def _canceled(stage: Stage) -> tuple[UUID, RecordPaymentOutcome]:
    booking_id, paid = stage.confirmed()
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    return booking_id, paid


def test_declined_refund_of_a_cancellation_is_owed_and_breaks_no_invariant(stage: Stage) -> None:
    booking_id, paid = _canceled(stage)
    assert _owed(stage) == [], "it is on its way"
    _told(stage, paid, "declined")
    assert _owed(stage) == [TOTAL_MINOR]
    (one,) = _reported(stage)
    assert (one.booking_id, one.payment_id, one.amount_minor, one.currency) == (
        booking_id,
        paid.payment_id,
        TOTAL_MINOR,
        "RUB",
    )
    done = CliRunner().invoke(app, ["verify"], env={"DATABASE_URL": stage.url, "COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    told = f"{TOTAL_MINOR} RUB (minor units), transaction {paid.transaction_id}: booking {booking_id}"
    assert told in done.output.partition("declined by the provider and still here")[2]


def test_it_is_owed_until_what_staff_asks_for_covers_it(stage: Stage) -> None:
    _booking_id, paid = _canceled(stage)
    _told(stage, paid, "declined")
    _ask(stage, paid, 40_000)
    assert _owed(stage) == [TOTAL_MINOR - 40_000], "a part of it goes back"
    _ask(stage, paid, TOTAL_MINOR - 40_000)
    assert _owed(stage) == []
    _told(stage, paid, "declined")
    assert _owed(stage) == [TOTAL_MINOR - 40_000], "that one was declined, too"


def test_a_refund_that_the_provider_makes_after_all_or_in_its_cabinet_ends_it(stage: Stage) -> None:
    _booking_id, paid = _canceled(stage)
    _told(stage, paid, "declined")
    _told(stage, paid, "succeeded", ["declined"])
    assert _owed(stage) == []
    _booking_id, other = _canceled(stage)
    _told(stage, other, "declined")
    assert stage.tell(stage.refunded(new_id(), other, TOTAL_MINOR)) == ["applied"]
    assert _owed(stage) == []


def test_what_went_back_before_it_was_declined_does_not_make_it_good(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    _ask(stage, paid, 20_000)
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    _told(stage, paid, "declined")
    assert _owed(stage) == [TOTAL_MINOR - 20_000]


def test_difference_of_a_move_is_owed_and_promised_anew_by_a_cancellation(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    cheaper = stage.offer_of(16, total_minor=CHEAPER_MINOR)
    assert stage.tell(stage.move(booking_id, cheaper)) == ["applied"]
    _told(stage, paid, "declined")
    assert _owed(stage) == [TOTAL_MINOR - CHEAPER_MINOR]
    cheapest = stage.offer_of(18, total_minor=CHEAPER_MINOR - 60_000)
    assert stage.tell(stage.move(booking_id, cheapest)) == ["applied"]
    assert _owed(stage) == [TOTAL_MINOR - CHEAPER_MINOR], "another difference is no part of it"
    _told(stage, paid, "succeeded")
    assert stage.tell(stage.let_go(booking_id, refund_percent=50, origin="staff")) == ["applied"]
    assert _owed(stage) == []
    _told(stage, paid, "declined")
    kept_minor = (CHEAPER_MINOR - 60_000) // 2
    assert _owed(stage) == [TOTAL_MINOR - 60_000 - kept_minor], "once, by the cancellation"


def test_late_money_that_cannot_go_back_is_owed(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    other = new_id()
    assert stage.tell(stage.hold(other)) == ["applied"]
    paid = stage.paid_for(attempt_id, invoice_id)
    assert stage.tell(paid) == ["applied"]
    _told(stage, paid, "declined")
    assert _owed(stage) == [TOTAL_MINOR]
    assert [one.booking_id for one in _reported(stage)] == [None]
    assert faults(stage.url) == []


def test_what_somebody_decided_on_and_was_declined_is_no_promise(stage: Stage) -> None:
    _booking_id, paid = stage.confirmed()
    _ask(stage, paid, 20_000)
    _told(stage, paid, "declined")
    assert _owed(stage) == []
