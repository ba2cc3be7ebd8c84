"""Money and the deadline of a hold, in every order; and leave to take money, which both wait for."""

from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from bus.messages import RecordPaymentOutcome
from kit.ids import new_id
from tests.integration.state_updater.shops import faults, said
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage


def _lose(stage: Stage, extras: dict[UUID, int] | None = None) -> tuple[UUID, RecordPaymentOutcome]:
    """A hold that expired while its page was open, and the money that was on its way."""
    booking_id, invoice_id, attempt_id = stage.awaiting(stage.offer_of(extras=extras))
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    return booking_id, stage.paid_for(attempt_id, invoice_id)


def _payment(stage: Stage, paid: RecordPaymentOutcome) -> tuple[Any, ...]:
    (row,) = stage.rows(
        "SELECT i.booking_id, p.unapplied_reason, p.reserved_minor FROM provider_payment p"
        " LEFT JOIN invoice i ON i.id = p.invoice_id WHERE p.id = :id",
        id=paid.payment_id,
    )
    return row


def _own_refunds(stage: Stage) -> list[tuple[int, str, str, UUID | None]]:
    found = stage.rows(
        "SELECT amount_minor, origin, state, customer_id FROM refund WHERE studio_id = :studio"
    )
    return [(int(amount), origin, state, customer_id) for amount, origin, state, customer_id in found]


def test_a_lost_time_that_is_still_free_is_given_again(stage: Stage) -> None:
    extra_id = stage.add_extra(2)
    booking_id, paid = _lose(stage, {extra_id: 2})
    (answer,) = stage.send(paid)
    assert answer.result == {
        "outcome": "succeeded",
        "payment_id": str(paid.payment_id),
        "unapplied_reason": None,
    }
    assert stage.state("booking", booking_id) == "confirmed"
    assert (stage.taken(), stage.out(extra_id)) == ([("booking", 12, 14)], 2)
    assert _payment(stage, paid) == (booking_id, None, 0)
    invoices = stage.rows(
        "SELECT state, total_minor, paid_minor FROM invoice WHERE booking_id = :id ORDER BY state",
        id=booking_id,
    )
    assert invoices == [("expired", TOTAL_MINOR, 0), ("paid", TOTAL_MINOR, TOTAL_MINOR)]
    assert stage.events(booking_id) == ["booking.created", "booking.expired", "booking.confirmed"]
    assert _own_refunds(stage) == []
    assert stage.balances() == {"provider_clearing": TOTAL_MINOR, "sales": -TOTAL_MINOR}
    assert faults(stage.url) == []


def test_a_booking_given_again_is_canceled_as_any_other(stage: Stage) -> None:
    booking_id, paid = _lose(stage)
    assert stage.tell(paid, paid, stage.let_go(booking_id)) == ["applied"] * 3
    assert stage.refunds(booking_id) == [(TOTAL_MINOR, "terms", "sent")]


def test_money_for_a_time_that_is_taken_goes_back(stage: Stage) -> None:
    booking_id, paid = _lose(stage)
    stage.held(stage.offer_of(13), customer_id=stage.add_customer())
    (answer,) = stage.send(paid)
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == "invoice_expired"
    assert stage.state("booking", booking_id) == "expired"
    assert _payment(stage, paid) == (None, "invoice_expired", TOTAL_MINOR)
    assert _own_refunds(stage) == [(TOTAL_MINOR, "terms", "sent", stage.customer_id)]
    told = stage.rows("SELECT kind FROM outbox WHERE studio_id = :studio AND kind = 'payment.unapplied'")
    assert told == [("payment.unapplied",)]
    assert faults(stage.url) == []
    refund_id = stage.one("SELECT id FROM refund WHERE studio_id = :studio")
    outcome = stage.refunded(refund_id, paid, TOTAL_MINOR, invoice_id=None)
    assert stage.tell(outcome) == ["applied"]
    assert stage.balances() == {}


def test_staff_decides_where_the_studio_wants_it(stage: Stage) -> None:
    stage.set_studio(late_money="staff")
    _, paid = _lose(stage)
    stage.held(stage.offer_of(13), customer_id=stage.add_customer())
    assert stage.tell(paid) == ["applied"]
    assert _payment(stage, paid) == (None, "invoice_expired", 0)
    assert _own_refunds(stage) == []
    assert stage.balances() == {"provider_clearing": TOTAL_MINOR, "unapplied_receipts": -TOTAL_MINOR}


@pytest.mark.parametrize("why", ["other_amount", "begun", "extra_out", "hall_off_sale", "blackout"])
def test_what_cannot_be_given_again_goes_back(stage: Stage, why: str) -> None:
    extra_id = stage.add_extra(1)
    booking_id, paid = _lose(stage, {extra_id: 1})
    match why:
        case "other_amount":
            paid = paid.model_copy(update={"amount_minor": TOTAL_MINOR - 1})
        case "begun":
            stage.set_clock(stage.at(12.01))
        case "extra_out":
            hall_id = new_id()
            stage.add_hall(hall_id)
            offer = stage.offer_of(11, 12.5, hall_id=hall_id, extras={extra_id: 1})
            stage.held(offer, customer_id=stage.add_customer())
        case "hall_off_sale":
            stage.rows("UPDATE hall SET is_active = false WHERE id = :id", id=stage.hall_id)
        case "blackout":
            assert stage.tell(stage.block(new_id(), 13.5, 15)) == ["applied"]
    assert stage.tell(paid) == ["applied"]
    assert stage.state("booking", booking_id) == "expired"
    assert [refund[:3] for refund in _own_refunds(stage)] == [(paid.amount_minor, "terms", "sent")]


def test_money_that_was_given_back_before_it_was_told_of_buys_nothing(stage: Stage) -> None:
    booking_id, paid = _lose(stage)
    refund = stage.refunded(new_id(), paid, TOTAL_MINOR, payment_id=None, invoice_id=None)
    assert stage.tell(refund, paid) == ["applied"] * 2
    assert stage.state("booking", booking_id) == "expired"
    assert [each[1:3] for each in _own_refunds(stage)] == [("provider", "succeeded")]
    assert stage.balances() == {}


def test_a_second_late_payment_of_one_booking_goes_back(stage: Stage) -> None:
    booking_id, invoice_id, page_id = stage.awaiting()
    second_id = new_id()
    assert stage.tell(stage.start(second_id, invoice_id, "link")) == ["applied"]
    stage.pass_deadline(booking_id, minutes=16)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    first, second = stage.send(stage.paid_for(page_id, invoice_id), stage.paid_for(second_id, invoice_id))
    assert (said(first), said(second)) == ("applied", "applied")
    assert stage.state("booking", booking_id) == "confirmed"
    assert [each[:3] for each in _own_refunds(stage)] == [(TOTAL_MINOR, "terms", "sent")]
    assert faults(stage.url) == []


def test_money_for_a_hold_that_was_canceled_goes_back(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    paid = stage.paid_for(attempt_id, invoice_id)
    assert stage.tell(stage.let_go(booking_id), paid) == ["applied"] * 2
    assert stage.state("booking", booking_id) == "canceled"
    assert _payment(stage, paid) == (None, "invoice_void", TOTAL_MINOR)
    assert stage.taken() == []


def test_money_of_other_closed_invoices_stays_with_people(stage: Stage) -> None:
    invoice_id, attempt_id = new_id(), new_id()
    paid = stage.paid(attempt_id, invoice_id)
    opened = stage.tell(stage.issue(invoice_id), stage.start(attempt_id, invoice_id))
    assert opened + stage.tell(stage.void(invoice_id), paid) == ["applied"] * 4
    assert _own_refunds(stage) == []


@pytest.mark.parametrize("order", list(permutations(["expire", "pay"])))
@pytest.mark.parametrize("together", [True, False])
def test_expiry_and_money_at_the_deadline_end_the_same(
    stage: Stage, order: tuple[str, str], together: bool
) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id)
    commands = {"expire": stage.expire_hold(booking_id), "pay": stage.paid_for(attempt_id, invoice_id)}
    story = [commands[name] for name in order]
    answers = stage.send(*story) if together else [answer for each in story for answer in stage.send(each)]
    expired = "applied" if order[0] == "expire" else "transition_refused"
    assert dict(zip(order, (said(each) for each in answers), strict=True)) == {
        "expire": expired,
        "pay": "applied",
    }
    assert stage.state("booking", booking_id) == "confirmed"
    assert stage.taken() == [("booking", 12, 14)]
    assert stage.balances() == {"provider_clearing": TOTAL_MINOR, "sales": -TOTAL_MINOR}


def test_in_one_group_the_time_is_lost_taken_and_paid_for(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id)
    answers = stage.send(
        stage.expire_hold(booking_id),
        stage.hold(new_id(), stage.offer_of(13), customer_id=stage.add_customer()),
        stage.paid_for(attempt_id, invoice_id),
    )
    assert [said(answer) for answer in answers] == ["applied"] * 3
    assert stage.state("booking", booking_id) == "expired"
    assert stage.taken() == [("hold", 13, 15)]
    assert [each[:3] for each in _own_refunds(stage)] == [(TOTAL_MINOR, "terms", "sent")]


# ------------------------------------------------------------------ leave to take money


def test_while_a_provider_has_leave_the_invoice_stays_as_it_is(stage: Stage) -> None:
    invoice_id, attempt_id = new_id(), new_id()
    stage.tell(stage.issue(invoice_id), stage.start(attempt_id, invoice_id))
    subscription_id, own_invoice_id, own_attempt_id = stage.offer()
    booking_id, booked_invoice_id, booked_attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id)
    stage.admit(own_invoice_id, own_attempt_id, "2")
    stage.admit(booked_invoice_id, booked_attempt_id, "3")
    stage.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    (answer,) = stage.send(stage.void(invoice_id))
    assert answer.problem == {
        "code": "payment_in_progress",
        "attempt_id": str(attempt_id),
        "state": "admitted",
    }
    assert (
        stage.tell(
            stage.expire(invoice_id),
            stage.start(new_id(), invoice_id, "link"),
            stage.cancel(subscription_id, None),
            stage.let_go(booking_id),
        )
        == ["payment_in_progress"] * 4
    )
    assert stage.tell(stage.start(new_id(), invoice_id)) == ["applied"]


def test_a_hold_waits_for_leave_that_was_given_and_not_for_ever(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id, minutes=14)
    stage.admit(invoice_id, attempt_id)
    assert stage.tell(stage.expire_hold(booking_id)) == ["payment_in_progress"]
    stage.pass_deadline(booking_id, minutes=15)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    assert stage.state("payment_attempt", attempt_id) == "canceled"


def test_leave_ends_by_itself(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id)
    stage.rows(
        "UPDATE check_admission SET admitted_at = admitted_at - interval '299 seconds'"
        " WHERE invoice_id = :id",
        id=invoice_id,
    )
    assert stage.tell(stage.let_go(booking_id)) == ["payment_in_progress"]
    stage.rows(
        "UPDATE check_admission SET admitted_at = admitted_at - interval '2 seconds' WHERE invoice_id = :id",
        id=invoice_id,
    )
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]


@pytest.mark.parametrize("outcome", ["succeeded", "declined"])
def test_the_provider_says_what_it_made_of_its_leave(stage: Stage, outcome: str) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id, "77")
    if outcome == "succeeded":
        told = stage.paid_for(attempt_id, invoice_id, transaction_id="77")
    else:
        told = stage.outcome("declined", attempt_id, invoice_id, transaction_id="77")
    assert stage.tell(told) == ["applied"]
    closed_at = stage.one("SELECT closed_at FROM check_admission WHERE invoice_id = :id", id=invoice_id)
    assert closed_at is not None
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]


def test_another_transaction_leaves_the_leave_as_it_is(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id, "77")
    late = stage.outcome("declined", attempt_id, invoice_id, transaction_id="76")
    assert stage.tell(late, stage.let_go(booking_id)) == ["applied", "payment_in_progress"]


def test_a_clock_that_was_set_back_closes_no_leave_before_it_was_given(stage: Stage) -> None:
    _, invoice_id, attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id, "77")
    stage.rows(
        "UPDATE check_admission SET admitted_at = admitted_at + interval '1 hour' WHERE invoice_id = :id",
        id=invoice_id,
    )
    assert stage.tell(stage.paid_for(attempt_id, invoice_id, transaction_id="77")) == ["applied"]
    closed_then = "SELECT closed_at = admitted_at FROM check_admission WHERE invoice_id = :id"
    assert stage.one(closed_then, id=invoice_id)
