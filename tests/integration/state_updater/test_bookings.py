"""What becomes of a confirmed booking: canceled by its terms, moved, completed, or nobody came."""

from datetime import timedelta

import pytest

from bus.messages import CancellationTier
from kit.ids import new_id
from state_updater.preview import preview
from storage.database import create_role_engine, tenant
from tests.integration.state_updater.shops import faults, said
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

# ------------------------------------------------------------------ canceling


@pytest.mark.parametrize(
    ("hours_before", "total_minor", "returned_minor"),
    [
        (48, 150_000, 150_000),
        (47.9, 150_000, 75_000),
        (24, 150_001, 75_000),  # half a unit is kept
        (24, 99, 49),
        (23.9, 150_000, 0),
    ],
)
def test_what_was_paid_goes_back_by_the_terms(
    stage: Stage, hours_before: float, total_minor: int, returned_minor: int
) -> None:
    booking_id, _ = stage.confirmed(stage.offer_of(total_minor=total_minor))
    stage.set_clock(stage.at(12 - hours_before) - timedelta(seconds=5))
    (answer,) = stage.send(stage.let_go(booking_id))
    assert answer.result == {
        "booking_id": str(booking_id),
        "state": "canceled",
        "refund_minor": returned_minor,
    }
    assert stage.refunds(booking_id) == ([(returned_minor, "terms", "sent")] if returned_minor else [])
    assert stage.taken() == []
    assert stage.events(booking_id)[-1] == "booking.cancelled"
    tasks = stage.one("SELECT count(*) FROM outbox WHERE studio_id = :studio AND kind = 'send_refund'")
    assert tasks == (1 if returned_minor else 0)


def test_a_refund_by_terms_ends_as_any_other(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    stage.tell(stage.let_go(booking_id))
    refund_id = stage.one("SELECT id FROM refund WHERE studio_id = :studio")
    assert stage.tell(stage.refunded(refund_id, paid, TOTAL_MINOR)) == ["applied"]
    assert stage.state("invoice", paid.invoice_id or new_id()) == "refunded"
    assert stage.balances() == {}


def test_staff_gives_back_what_it_sees_fit(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(13.01))
    assert stage.tell(
        stage.let_go(booking_id), stage.let_go(booking_id, origin="staff", refund_percent=30, reason="ill")
    ) == ["booking_started", "applied"]
    assert stage.refunds(booking_id) == [(TOTAL_MINOR * 3 // 10, "terms", "sent")]
    facts = stage.one(
        "SELECT facts FROM state_event WHERE aggregate_id = :id AND trigger = 'cancel'", id=booking_id
    )
    assert facts == {"refund_percent": 30, "refund_minor": TOTAL_MINOR * 3 // 10, "reason": "ill"}


def test_what_was_given_back_already_is_not_given_back_again(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    sent_id, done_id = new_id(), new_id()
    stage.tell(
        stage.request(sent_id, paid, 10_000),
        stage.approve(sent_id, paid),
        stage.refunded(done_id, paid, 20_000),
    )
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.refunds(booking_id) == [
        (10_000, "customer", "sent"),
        (20_000, "provider", "succeeded"),
        (TOTAL_MINOR - 30_000, "terms", "sent"),
    ]


def test_what_was_asked_for_and_not_decided_does_not_stand_in_for_what_was_promised(stage: Stage) -> None:
    """Were it rejected later, nothing would have gone back."""
    booking_id, paid = stage.confirmed()
    small_id, large_id = new_id(), new_id()
    stage.tell(stage.request(small_id, paid, 10_000), stage.request(large_id, paid, TOTAL_MINOR - 10_000))
    stage.set_clock(stage.at(12 - 30))
    (answer,) = stage.send(stage.let_go(booking_id))
    assert answer.result is not None
    assert answer.result["refund_minor"] == TOTAL_MINOR // 2
    assert stage.refunds(booking_id) == [
        (10_000, "customer", "withdrawn"),
        (TOTAL_MINOR - 10_000, "customer", "withdrawn"),
        (TOTAL_MINOR // 2, "terms", "sent"),
    ]
    assert faults(stage.url) == []


def test_what_was_asked_for_beyond_the_terms_waits_for_staff(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    refund_id = new_id()
    stage.tell(stage.request(refund_id, paid, 50_000))
    stage.set_clock(stage.at(12 - 30))
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.state("refund", refund_id) == "requested"
    assert stage.tell(stage.approve(refund_id, paid)) == ["applied"]


def test_a_booking_paid_on_site_has_nothing_to_give_back(stage: Stage) -> None:
    booking_id = stage.held(origin="staff")
    stage.tell(stage.check_out(booking_id, payment="on_site", origin="staff"))
    (answer,) = stage.send(stage.let_go(booking_id))
    assert answer.result is not None
    assert answer.result["refund_minor"] == 0
    assert stage.state("booking", booking_id) == "canceled"


def test_the_terms_are_those_of_the_booking_whatever_the_studio_says_now(stage: Stage) -> None:
    terms = (CancellationTier(hours_before=1, refund_percent=20),)
    booking_id, _ = stage.confirmed(stage.offer_of(terms=terms))
    stage.set_studio(cancellation_terms="[]")
    stage.tell(stage.let_go(booking_id))
    assert stage.refunds(booking_id) == [(30_000, "terms", "sent")]


# ------------------------------------------------------------------ moving


def test_a_booking_moves_onto_time_that_it_has_itself(stage: Stage) -> None:
    extra_id = stage.add_extra(2)
    booking_id, _ = stage.confirmed(stage.offer_of(extras={extra_id: 2}))
    (answer,) = stage.send(stage.move(booking_id, stage.offer_of(13, extras={extra_id: 2}, people=7)))
    assert answer.result == {"booking_id": str(booking_id), "state": "confirmed"}
    assert stage.taken() == [("booking", 13, 15)]
    assert stage.out(extra_id) == 2
    ((starts_at, people, lines),) = stage.rows(
        "SELECT starts_at, people, lines FROM booking WHERE id = :id", id=booking_id
    )
    assert (starts_at, people) == (stage.at(13), 7)
    assert lines == [{"description": "Зал", "quantity": 1, "unit_amount_minor": TOTAL_MINOR}]
    assert stage.events(booking_id)[-1] == "booking.rescheduled"


def test_a_booking_does_not_move_where_somebody_else_is(stage: Stage) -> None:
    extra_id = stage.add_extra(1)
    booking_id, _ = stage.confirmed()
    stage.held(stage.offer_of(14, extras={extra_id: 1}))
    hall_id = new_id()
    stage.add_hall(hall_id)
    assert stage.tell(
        stage.move(booking_id, stage.offer_of(13)),
        stage.move(booking_id, stage.offer_of(15, hall_id=hall_id, extras={extra_id: 1})),
        stage.move(booking_id, stage.offer_of(14, hall_id=hall_id)),
    ) == ["slot_taken", "extra_not_free", "applied"]
    assert (stage.taken(), stage.taken(hall_id)) == ([("hold", 14, 16)], [("booking", 14, 16)])


def test_what_it_costs_more_is_an_invoice_of_its_own(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    invoice_id, attempt_id = new_id(), new_id()
    (answer,) = stage.send(stage.move(booking_id, stage.offer_of(16, total_minor=180_000), invoice_id))
    assert answer.result == {
        "booking_id": str(booking_id),
        "state": "confirmed",
        "invoice_id": str(invoice_id),
    }
    found = stage.rows(
        "SELECT total_minor, booking_id, expires_at FROM invoice WHERE id = :id", id=invoice_id
    )
    assert found == [(30_000, booking_id, stage.at(16))]
    assert stage.tell(
        stage.move(booking_id, stage.offer_of(18)),
        stage.start(attempt_id, invoice_id),
        stage.paid_for(attempt_id, invoice_id, amount_minor=30_000),
        stage.move(booking_id, stage.offer_of(18, total_minor=180_000)),
    ) == ["surcharge_unpaid", "applied", "applied", "applied"]
    assert stage.state("booking", booking_id) == "confirmed"


def test_a_surcharge_can_be_paid_for_as_long_as_any_invoice(stage: Stage) -> None:
    stage.set_studio(reschedule_hours_before=0)
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(10))
    invoice_id = new_id()
    assert stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=180_000), invoice_id)) == [
        "applied"
    ]
    lasts = stage.one("SELECT expires_at - created_at FROM invoice WHERE id = :id", id=invoice_id)
    assert lasts.total_seconds() == stage.one(
        "SELECT invoice_lifetime_seconds FROM studio WHERE id = :studio"
    )


def test_what_was_paid_for_a_move_goes_back_first(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    invoice_id, attempt_id = new_id(), new_id()
    stage.tell(
        stage.move(booking_id, stage.offer_of(16, total_minor=180_000), invoice_id),
        stage.start(attempt_id, invoice_id),
        stage.paid_for(attempt_id, invoice_id, amount_minor=30_000),
    )
    assert stage.tell(stage.let_go(booking_id, origin="staff", refund_percent=50)) == ["applied"]
    of_move = "SELECT invoice_id = :id, amount_minor FROM refund WHERE studio_id = :studio"
    assert dict(stage.rows(of_move, id=invoice_id)) == {True: 30_000, False: 60_000}


def test_what_it_costs_less_goes_back(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    assert stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=100_000))) == ["applied"]
    assert stage.refunds(booking_id) == [(50_000, "terms", "sent")]
    assert stage.one("SELECT total_minor FROM booking WHERE id = :id", id=booking_id) == 100_000


def test_no_more_goes_back_than_is_left_of_what_was_paid(stage: Stage) -> None:
    booking_id, paid = stage.confirmed()
    stage.tell(stage.refunded(new_id(), paid, 120_000))
    assert stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=50_000))) == ["applied"]
    assert (30_000, "terms", "sent") in stage.refunds(booking_id)


def test_what_is_paid_on_site_is_charged_there(stage: Stage) -> None:
    booking_id = stage.held(origin="staff")
    stage.tell(stage.check_out(booking_id, payment="on_site", origin="staff"))
    for total_minor in (200_000, 50_000):
        (answer,) = stage.send(stage.move(booking_id, stage.offer_of(16, total_minor=total_minor)))
        assert answer.result == {"booking_id": str(booking_id), "state": "confirmed"}
    assert stage.balances() == {}


def test_staff_moves_again_what_was_not_paid_for_and_one_invoice_is_left(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    first_id, second_id = new_id(), new_id()
    stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=180_000), first_id))
    assert stage.tell(
        stage.move(booking_id, stage.offer_of(17, total_minor=170_000), second_id, origin="staff")
    ) == ["applied"]
    assert (stage.state("invoice", first_id), stage.state("invoice", second_id)) == ("void", "open")
    assert stage.one("SELECT total_minor FROM invoice WHERE id = :id", id=second_id) == 20_000
    assert stage.tell(stage.move(booking_id, stage.offer_of(18), origin="staff")) == ["applied"]
    assert stage.state("invoice", second_id) == "void"
    assert stage.balances() == {"provider_clearing": TOTAL_MINOR, "sales": -TOTAL_MINOR}


def test_a_surcharge_that_expired_unpaid_is_owed_still(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    first_id, second_id = new_id(), new_id()
    stage.tell(stage.move(booking_id, stage.offer_of(16, total_minor=180_000), first_id))
    stage.set_clock(stage.at(16) + timedelta(seconds=2))
    assert stage.tell(stage.expire(first_id)) == ["applied"]
    assert stage.state("booking", booking_id) == "confirmed"
    assert stage.tell(
        stage.move(booking_id, stage.offer_of(20, total_minor=180_000), second_id, origin="staff")
    ) == ["applied"]
    assert stage.one("SELECT total_minor FROM invoice WHERE id = :id", id=second_id) == 30_000


def test_an_unpaid_surcharge_is_taken_back_with_the_booking(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    invoice_id, attempt_id = new_id(), new_id()
    stage.tell(
        stage.move(booking_id, stage.offer_of(16, total_minor=180_000), invoice_id),
        stage.start(attempt_id, invoice_id, "link"),
    )
    assert stage.tell(stage.let_go(booking_id)) == ["payment_in_progress"]
    assert (
        stage.tell(stage.outcome("declined", attempt_id, invoice_id), stage.let_go(booking_id))
        == ["applied"] * 2
    )
    assert stage.state("invoice", invoice_id) == "void"
    assert stage.refunds(booking_id) == [(TOTAL_MINOR, "terms", "sent")]
    assert faults(stage.url) == []


def test_a_customer_moves_in_time_or_not_at_all(stage: Stage) -> None:
    stage.set_studio(reschedule_hours_before=24)
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(12 - 24) + timedelta(seconds=5))
    (answer, by_staff) = stage.send(
        stage.move(booking_id, stage.offer_of(40)), stage.move(booking_id, stage.offer_of(40), origin="staff")
    )
    assert answer.problem == {"code": "too_late_to_reschedule", "hours_before": 24}
    assert said(by_staff) == "applied"


def test_what_was_moved_late_does_not_become_free_to_cancel(stage: Stage) -> None:
    stage.set_studio(reschedule_hours_before=0)
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(12 - 30))
    assert stage.tell(stage.move(booking_id, stage.offer_of(12 + 24 * 7))) == ["applied"]
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.refunds(booking_id) == [(TOTAL_MINOR // 2, "terms", "sent")]


def test_what_the_studio_moves_late_has_the_terms_of_its_new_time(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(10))
    assert stage.tell(stage.move(booking_id, stage.offer_of(12 + 24 * 30), origin="staff")) == ["applied"]
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.refunds(booking_id) == [(TOTAL_MINOR, "terms", "sent")]


def test_what_its_customer_moved_late_is_not_freed_by_the_studio(stage: Stage) -> None:
    stage.set_studio(reschedule_hours_before=0)
    booking_id, _ = stage.confirmed()
    stage.set_clock(stage.at(12 - 30))
    moves = [stage.move(booking_id, stage.offer_of(12 + 24 * 7))]
    moves.append(stage.move(booking_id, stage.offer_of(12 + 24 * 30), origin="staff"))
    assert stage.tell(*moves, stage.let_go(booking_id)) == ["applied"] * 3
    assert stage.refunds(booking_id) == [(TOTAL_MINOR // 2, "terms", "sent")]


def test_only_what_is_confirmed_moves(stage: Stage) -> None:
    booking_id = stage.held()
    assert stage.tell(stage.move(booking_id, stage.offer_of(16))) == ["transition_refused"]


# ------------------------------------------------------------------ after it has begun


def test_a_visit_is_completed_an_hour_after_its_end_or_by_staff_from_its_start(stage: Stage) -> None:
    by_clock, _ = stage.confirmed(stage.offer_of(10))
    by_staff, _ = stage.confirmed(stage.offer_of(14))
    assert stage.tell(stage.complete(by_staff, origin="staff")) == ["not_due"]
    stage.set_clock(stage.at(12.9))
    assert stage.tell(stage.complete(by_clock)) == ["not_due"]
    stage.set_clock(stage.at(14.01))
    assert stage.tell(
        stage.complete(by_clock), stage.complete(by_staff), stage.complete(by_staff, origin="staff")
    ) == ["applied", "not_due", "applied"]
    assert stage.events(by_clock)[-1] == "booking.completed"
    # Who had a hall stays written down.
    assert stage.taken() == [("booking", 10, 12), ("booking", 14, 16)]


def test_nobody_came(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    assert stage.tell(stage.no_show(booking_id)) == ["not_due"]
    stage.set_clock(stage.at(12.01))
    assert stage.tell(
        stage.no_show(booking_id), stage.let_go(booking_id, origin="staff"), stage.complete(booking_id)
    ) == ["applied", "transition_refused", "transition_refused"]
    assert stage.events(booking_id)[-1] == "booking.no_show"


def test_where_nobody_came_the_rest_of_the_time_and_the_extras_are_free(stage: Stage) -> None:
    extra_id = stage.add_extra(1)
    booking_id, _ = stage.confirmed(stage.offer_of(10, 20, extras={extra_id: 1}))
    stage.set_clock(stage.at(11))
    rest = stage.offer_of(12, 20, extras={extra_id: 1})
    answers = stage.send(stage.hold(new_id(), rest), stage.no_show(booking_id), stage.hold(new_id(), rest))
    assert [said(answer) for answer in answers] == ["slot_taken", "applied", "applied"]
    assert (stage.taken(), stage.out(extra_id)) == ([("hold", 12, 20)], 1)
    stood = "SELECT released_at >= created_at FROM occupancy WHERE booking_id = :id"
    assert stage.rows(stood, id=booking_id) == [(True,)], "who had the hall stays written down"
    assert faults(stage.url) == []


# ------------------------------------------------------------------ seen beforehand


def test_a_preview_says_what_a_cancellation_would_give_back_and_takes_no_lock(stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    admin = create_role_engine(stage.url, "billbus_admin", "test")
    with tenant(admin, stage.studio_id) as connection:
        seen = preview(connection, stage.let_go(booking_id, origin="staff", refund_percent=100))
        moved = preview(connection, stage.move(booking_id, stage.offer_of(13), origin="staff"))
    admin.dispose()
    assert seen.result == {"booking_id": str(booking_id), "state": "canceled", "refund_minor": TOTAL_MINOR}
    assert seen.tasks == ("send_refund",)
    assert ("booking", "cancel") in [(step.machine, step.trigger) for step in seen.steps]
    assert moved.result == {"booking_id": str(booking_id), "state": "confirmed"}
    assert stage.state("booking", booking_id) == "confirmed"


# ------------------------------------------------------------------ blackouts


def test_a_hall_is_closed_for_a_time_and_opened_again(stage: Stage) -> None:
    blackout_id = new_id()
    (answer,) = stage.send(stage.block(blackout_id, 10, 34))
    assert answer.result == {"blackout_id": str(blackout_id)}
    assert stage.taken() == [("blackout", 10, 34)]
    assert stage.tell(stage.hold(new_id()), stage.block(new_id(), 33, 35)) == [
        "slot_taken",
        "already_blocked",
    ]
    first, second = stage.send(stage.unblock(blackout_id), stage.unblock(blackout_id))
    assert (first.result, second.result) == (
        {"blackout_id": str(blackout_id)},
        {"blackout_id": str(blackout_id), "unchanged": True},
    )
    stage.held()
    assert faults(stage.url) == []


def test_a_blackout_over_bookings_names_them(stage: Stage) -> None:
    held_id, (booked_id, _) = stage.held(stage.offer_of(14)), stage.confirmed(stage.offer_of(10))
    answers = stage.send(stage.block(new_id(), 11, 15), stage.block(new_id(), 12, 14))
    assert answers[0].problem == {
        "code": "bookings_in_the_way",
        "booking_ids": [str(booked_id), str(held_id)],
    }
    assert said(answers[1]) == "applied"


def test_what_is_no_blackout_of_this_hall_is_not_opened(stage: Stage) -> None:
    blackout_id, hall_id = new_id(), new_id()
    stage.add_hall(hall_id)
    stage.tell(stage.block(blackout_id, 10, 12))
    stage.held()
    occupancy_id = stage.one("SELECT id FROM occupancy WHERE studio_id = :studio AND kind = 'hold'")
    assert (
        stage.tell(
            stage.unblock(blackout_id, hall_id=hall_id),
            stage.unblock(occupancy_id),
            stage.unblock(new_id()),
            stage.block(new_id(), 20, 22, hall_id=new_id()),
        )
        == ["not_found"] * 4
    )


def test_a_blackout_begins_now_at_the_earliest(stage: Stage) -> None:
    """So who was in the hall before is not in its way."""
    booking_id, _ = stage.confirmed(stage.offer_of(10))
    stage.set_clock(stage.at(13))
    assert stage.tell(stage.complete(booking_id, origin="staff")) == ["applied"]
    over, blackout_id = stage.block(new_id(), 9, 12.9), new_id()
    assert stage.tell(over, stage.block(blackout_id, 9, 23)) == ["closed_in_the_past", "applied"]
    _, (kind, starts, ends) = stage.taken()
    assert (kind, ends) == ("blackout", 23)
    assert starts == pytest.approx(13, abs=0.05)
    assert faults(stage.url) == []


def test_a_blackout_lasts_a_year_at_most(stage: Stage) -> None:
    assert stage.tell(stage.block(new_id(), 0, 24 * 366 + 0.5), stage.block(new_id(), 0, 24 * 366)) == [
        "too_long",
        "applied",
    ]


def test_in_one_group_a_booking_leaves_and_the_hall_is_closed(stage: Stage) -> None:
    booking_id = stage.held()
    answers = stage.send(
        stage.block(new_id(), 12, 13), stage.let_go(booking_id), stage.block(new_id(), 12, 13)
    )
    assert [said(answer) for answer in answers] == ["bookings_in_the_way", "applied", "applied"]
