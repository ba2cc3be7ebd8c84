"""What a customer may try, to have a time for less than it costs, or for longer than a hold lasts."""

from datetime import timedelta

import pytest

from kit.ids import new_id
from tests.integration.state_updater.shops import faults, said
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

CHEAP_MINOR = 90_000


def test_what_went_back_for_a_move_does_not_go_back_again(stage: Stage) -> None:
    """To a cheaper time, back to the dear one, which is not paid for, and to the cheaper one again."""
    booking_id, _ = stage.confirmed()
    surcharge_id = new_id()
    assert (
        stage.tell(
            stage.move(booking_id, stage.offer_of(14, total_minor=CHEAP_MINOR)),
            stage.move(booking_id, stage.offer_of(16), surcharge_id),
            stage.void(surcharge_id),
            stage.move(booking_id, stage.offer_of(18, total_minor=CHEAP_MINOR)),
        )
        == ["applied"] * 4
    )
    assert stage.refunds(booking_id) == [(TOTAL_MINOR - CHEAP_MINOR, "terms", "sent")]


def test_in_one_group_what_went_back_does_not_go_back_again(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    surcharge_id = new_id()
    answers = stage.send(
        stage.move(booking_id, stage.offer_of(14, total_minor=CHEAP_MINOR)),
        stage.move(booking_id, stage.offer_of(16), surcharge_id),
        stage.void(surcharge_id),
        stage.move(booking_id, stage.offer_of(18, total_minor=CHEAP_MINOR)),
    )
    assert [said(answer) for answer in answers] == ["applied"] * 4
    assert stage.refunds(booking_id) == [(TOTAL_MINOR - CHEAP_MINOR, "terms", "sent")]


def test_of_a_time_that_is_paid_in_part_the_part_is_kept_by_the_terms(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    stage.tell(
        stage.move(booking_id, stage.offer_of(14, total_minor=CHEAP_MINOR)),
        stage.move(booking_id, stage.offer_of(12)),
    )
    stage.set_clock(stage.at(12 - 30))
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.refunds(booking_id) == [
        (TOTAL_MINOR - CHEAP_MINOR, "terms", "sent"),
        (CHEAP_MINOR // 2, "terms", "sent"),
    ]
    assert faults(stage.url) == []


@pytest.mark.parametrize("moved_late_before", [False, True])
def test_who_would_not_get_everything_back_does_not_move_to_a_cheaper_time(
    stage: Stage, moved_late_before: bool
) -> None:
    """And cancels then for next to nothing. Staff may do it."""
    stage.set_studio(reschedule_hours_before=0)
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(12 - 30))
    if moved_late_before:
        assert stage.tell(stage.move(booking_id, stage.offer_of(12 + 24 * 7))) == ["applied"]
    cheaper = stage.offer_of(12 + 24 * 8, total_minor=1)
    (answer,) = stage.send(stage.move(booking_id, cheaper))
    assert answer.problem == {"code": "too_late_to_pay_less", "refund_percent": 50}
    assert stage.refunds(booking_id) == []
    assert stage.tell(stage.move(booking_id, cheaper, origin="staff")) == ["applied"]
    assert stage.refunds(booking_id) == [(TOTAL_MINOR - 1, "terms", "sent")]


def test_the_price_of_the_cheapest_time_does_not_book_the_dearest(stage: Stage) -> None:
    """A surcharge may stay unpaid until the visit: one beyond what is paid already is staff's to allow."""
    booking_id, _ = stage.confirmed()
    for missing_minor in (5_000_000, TOTAL_MINOR + 1):
        (answer,) = stage.send(
            stage.move(booking_id, stage.offer_of(14, total_minor=TOTAL_MINOR + missing_minor))
        )
        assert answer.problem == {
            "code": "surcharge_too_large",
            "surcharge_minor": missing_minor,
            "paid_minor": TOTAL_MINOR,
        }
    assert stage.taken() == [("booking", 12, 14)]
    twice = stage.offer_of(14, total_minor=2 * TOTAL_MINOR)
    assert stage.tell(stage.move(booking_id, twice)) == ["applied"]


def test_what_went_back_does_not_stand_for_a_surcharge_and_staff_moves_all_the_same(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    stage.tell(stage.refunded(new_id(), paid, TOTAL_MINOR - 10_000))
    dearer = stage.offer_of(14, total_minor=TOTAL_MINOR + 10_001)
    (answer,) = stage.send(stage.move(booking_id, dearer))
    assert answer.problem == {
        "code": "surcharge_too_large", "surcharge_minor": 10_001, "paid_minor": 10_000
    }  # fmt: skip
    assert stage.tell(stage.move(booking_id, dearer, origin="staff")) == ["applied"]


def test_who_pays_on_site_moves_to_a_cheaper_time_in_time(stage: Stage) -> None:
    booking_id = stage.held(stage.offer_of(terms=()), origin="staff")
    stage.tell(stage.check_out(booking_id, payment="on_site", origin="staff"))
    assert stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=1))) == ["applied"]


@pytest.mark.parametrize("origin", ["customer", "staff"])
def test_no_hold_outlives_the_beginning_of_its_time(stage: Stage, origin: str) -> None:
    stage.set_clock(stage.at(12) - timedelta(minutes=5))
    booking_id = stage.held(origin=origin)
    assert stage.one("SELECT hold_expires_at FROM booking WHERE id = :id", id=booking_id) == stage.at(12)
    stage.set_clock(stage.at(12) + timedelta(seconds=1))
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]


@pytest.mark.parametrize("method", ["widget", "link"])
def test_nobody_keeps_a_hold_by_beginning_to_pay_at_its_end(stage: Stage, method: str) -> None:
    booking_id, invoice_id = stage.held(), new_id()
    stage.tell(stage.check_out(booking_id, invoice_id))
    for minutes in (-59 / 60, 0, 5):
        stage.pass_deadline(booking_id, minutes)
        assert stage.tell(stage.start(new_id(), invoice_id, method)) == ["hold_expired"]
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]


def test_with_a_minute_left_a_hold_can_be_paid(stage: Stage) -> None:
    booking_id, invoice_id = stage.held(), new_id()
    stage.tell(stage.check_out(booking_id, invoice_id))
    stage.pass_deadline(booking_id, -1.5)
    assert stage.tell(stage.start(new_id(), invoice_id)) == ["applied"]


def test_what_a_booking_cost_never_goes_back_because_its_customer_asks(stage: Stage) -> None:
    """Its terms say what does, and beyond them staff: who approves by itself has not waived them."""
    stage.set_studio(refund_policy="automatic")
    booking_id, paid = stage.confirmed(stage.offer_of(terms=()))
    asked_id, given_id = new_id(), new_id()
    assert (
        stage.tell(
            stage.request(asked_id, paid, TOTAL_MINOR - 1), stage.request(given_id, paid, 1, origin="staff")
        )
        == ["applied"] * 2
    )
    assert (stage.state("refund", asked_id), stage.state("refund", given_id)) == ("requested", "sent")
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.state("refund", asked_id) == "requested"


def test_a_surcharge_is_due_until_the_visit(stage: Stage) -> None:
    """Who does not pay for a dearer time is seen to owe it, and moves no further."""
    booking_id, _ = stage.confirmed()
    surcharge_id = new_id()
    stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=300_000), surcharge_id))
    stage.set_clock(stage.at(16 - 25))
    assert stage.tell(stage.expire(surcharge_id), stage.move(booking_id, stage.offer_of(18))) == [
        "not_due",
        "surcharge_unpaid",
    ]
