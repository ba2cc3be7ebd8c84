"""Bookings at the desk: made, checked out, moved and let go for a customer; what money does is told first."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from admin_api.actions.registry import ACTIONS
from kit.ids import new_id
from tests.integration.admin_api.actions.bookings import (
    PER_HOUR_MINOR,
    at,
    confirm,
    hold,
    open_hall,
    pay,
    settle,
    today,
    wish,
)
from tests.integration.admin_api.actions.clerk import Clerk
from web.problems import Problem

BEFORE_IT = timedelta(hours=30)


def test_booking_is_held_for_the_customer_and_confirmed_on_site(manager: Clerk, support: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    step, *_ = support.foresee("book", customer_id=shop.customer_id, **wish(hall_id)).lines
    assert step.code == "step.booking.hold"
    assert (step.facts["hall"], step.facts["amount_minor"]) == ("Blue", 2 * PER_HOUR_MINOR)
    booking_id = hold(support, hall_id)
    ((state, origin, starts_at, total_minor, people),) = shop.rows(
        "SELECT state, origin, starts_at, total_minor, people FROM booking WHERE id = :id", id=booking_id
    )
    assert (state, origin, total_minor, people) == ("held", "staff", 2 * PER_HOUR_MINOR, 2)
    assert starts_at == today() + timedelta(days=10, hours=10)
    assert manager.audits(booking_id) == ["HoldBooking"]
    assert support.open("bookings", booking_id) == {"check_out_booking", "cancel_booking"}
    assert support.tell("check_out_booking", booking_id, payment="on_site") == "applied"
    assert shop.state("booking", booking_id) == "confirmed"
    assert shop.rows("SELECT id FROM invoice WHERE booking_id = :id", id=booking_id) == []


def test_booking_online_draws_its_invoice_and_its_money_confirms_it(manager: Clerk) -> None:
    shop, booking_id = manager.shop, pay(manager, open_hall(manager))
    assert shop.rows("SELECT state, total_minor FROM invoice WHERE booking_id = :id", id=booking_id) == [
        ("paid", 2 * PER_HOUR_MINOR)
    ]


def test_extras_are_held_with_the_hall_and_no_more_than_there_are(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    light = manager.press("create_extra", name="Light", amount_minor=30_000, stock=2).subject_id
    fields = wish(hall_id, extras=[{"extra_id": light, "quantity": 3}])
    assert manager.codes("book", customer_id=manager.shop.customer_id, **fields) == ["extra_not_free"]
    booking_id = hold(manager, hall_id, extras=[{"extra_id": light, "quantity": 2}])
    ((total_minor,),) = manager.shop.rows("SELECT total_minor FROM booking WHERE id = :id", id=booking_id)
    assert total_minor == 2 * PER_HOUR_MINOR + 2 * 30_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"people": 9}, "too_many_people"),
        ({"days": -1}, "slot_in_the_past"),
        ({"days": 400}, "too_far"),
        ({"starts": "10:07"}, "off_grid"),
        ({"ends": "10:15"}, "too_short"),
    ],
)
def test_time_that_the_hall_does_not_sell_is_refused_in_the_preview_and_in_the_deed(
    manager: Clerk, changes: dict[str, Any], code: str
) -> None:
    fields = wish(open_hall(manager), **changes)
    assert manager.codes("book", customer_id=manager.shop.customer_id, **fields) == [code]
    with pytest.raises(Problem) as refused:
        manager.press("book", customer_id=manager.shop.customer_id, **fields)
    assert refused.value.code == code


def test_taken_time_is_refused_and_the_end_of_one_is_the_start_of_the_next(manager: Clerk) -> None:
    hall_id, customer_id = open_hall(manager), manager.shop.customer_id
    hold(manager, hall_id)
    fields = wish(hall_id, starts="11:00", ends="13:00")
    assert manager.codes("book", customer_id=customer_id, **fields) == ["slot_taken"]
    hold(manager, hall_id, starts="12:00", ends="13:00")


def test_refusal_of_a_taken_time_names_what_is_free_instead(manager: Clerk) -> None:
    hall_id, other_id, customer_id = (
        open_hall(manager),
        open_hall(manager, name="Red"),
        manager.shop.customer_id,
    )
    hold(manager, hall_id)
    fields = wish(hall_id, starts="11:00", ends="13:00")
    with pytest.raises(Problem) as refused:
        manager.press("book", customer_id=customer_id, **fields)
    foreseen = manager.foresee("book", customer_id=customer_id, **fields).refusal
    assert foreseen is not None
    alternatives = foreseen["alternatives"]
    assert (refused.value.status, refused.value.code) == (409, "slot_taken")
    assert refused.value.facts["facts"] == {"alternatives": alternatives}
    assert isinstance(alternatives, list)
    assert [one["hall_id"] for one in alternatives] == [str(hall_id)] * 5 + [str(other_id)]
    booking_id = confirm(manager, other_id, starts="15:00", ends="17:00")
    moved = manager.foresee("reschedule_booking", booking_id, **fields).refusal
    assert moved is not None
    assert moved["alternatives"] == alternatives
    free = {name: alternatives[0][name] for name in ("starts_at", "ends_at")}
    assert manager.tell("book", customer_id=customer_id, **fields | free) == "applied"


@pytest.mark.parametrize(
    ("starts_at", "fault"),
    [
        ("2027-03-28 02:30", "time_does_not_exist"),
        ("2026-10-25 02:30", "time_exists_twice"),
    ],
)
def test_hour_that_the_clocks_change_is_a_fault_of_its_field(
    manager: Clerk, starts_at: str, fault: str
) -> None:
    hall_id = open_hall(manager)
    manager.shop.rows("UPDATE studio SET timezone = 'Europe/Berlin' WHERE id = :studio")
    fields = wish(hall_id) | {"starts_at": starts_at, "ends_at": f"{starts_at[:10]} 05:00"}
    for act in (manager.foresee, manager.press):
        with pytest.raises(Problem) as wrong:
            act("book", customer_id=manager.shop.customer_id, **fields)
        assert wrong.value.status == 422
        assert wrong.value.facts["errors"] == [{"at": "body.starts_at", "fault": fault}]


def test_cancellation_says_what_goes_back_by_the_terms_and_gives_it_back(
    manager: Clerk, support: Clerk
) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    booking_id = pay(manager, hall_id)
    assert support.codes("cancel_booking", booking_id)[:2] == [
        "booking.gives_all_back",
        "step.booking.cancel",
    ]
    starts_at = shop.one("SELECT starts_at FROM booking WHERE id = :id", id=booking_id)
    shop.set_clock(starts_at - BEFORE_IT)
    part = support.foresee("cancel_booking", booking_id).lines[0]
    assert part.code == "booking.gives_part_back"
    assert part.facts == {
        "amount_minor": PER_HOUR_MINOR, "kept_minor": PER_HOUR_MINOR, "percent": 50, "currency": "RUB"
    }  # fmt: skip
    assert support.tell("cancel_booking", booking_id) == "applied"
    assert shop.state("booking", booking_id) == "canceled"
    assert shop.rows("SELECT amount_minor, origin FROM refund WHERE studio_id = :studio") == [
        (PER_HOUR_MINOR, "terms")
    ]


def test_waiver_gives_back_what_a_manager_decides_with_a_reason(manager: Clerk, support: Clerk) -> None:
    shop, booking_id = manager.shop, pay(manager, open_hall(manager))
    starts_at = shop.one("SELECT starts_at FROM booking WHERE id = :id", id=booking_id)
    shop.set_clock(starts_at - timedelta(hours=2))
    assert manager.codes("cancel_booking", booking_id)[0] == "booking.gives_nothing_back"
    waiver = {"refund_percent": 25, "reason": "The heating broke"}
    assert manager.foresee("waive_cancellation", booking_id, **waiver).lines[0].facts["percent"] == 25
    with pytest.raises(Problem) as forbidden:
        support.press("waive_cancellation", booking_id, **waiver)
    assert forbidden.value.status == 403
    assert "waive_cancellation" not in support.open("bookings", booking_id)
    assert manager.tell("waive_cancellation", booking_id, **waiver) == "applied"
    assert shop.one("SELECT amount_minor FROM refund WHERE studio_id = :studio") == PER_HOUR_MINOR // 2


def test_what_was_held_only_is_let_go_without_a_word_of_money(manager: Clerk) -> None:
    booking_id = hold(manager, open_hall(manager))
    assert manager.codes("cancel_booking", booking_id)[0] == "step.booking.cancel"
    assert manager.tell("cancel_booking", booking_id, reason="Called off") == "applied"
    assert manager.shop.state("booking", booking_id) == "canceled"


def test_move_says_what_it_costs_then_and_the_surcharge_is_an_invoice(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    booking_id = pay(manager, hall_id)
    longer = wish(hall_id, 11, ends="13:00")
    costs, *others = manager.foresee("reschedule_booking", booking_id, **longer).lines
    assert costs.code == "booking.costs_more"
    assert costs.facts == {
        "old_minor": 2 * PER_HOUR_MINOR,
        "new_minor": 3 * PER_HOUR_MINOR,
        "difference_minor": PER_HOUR_MINOR,
        "currency": "RUB",
    }
    opened = next(line for line in others if line.code == "step.invoice.open")
    assert opened.facts["amount_minor"] == PER_HOUR_MINOR
    assert manager.tell("reschedule_booking", booking_id, **longer) == "applied"
    settle(manager, booking_id)
    shorter = wish(hall_id, 11, ends="11:00")
    costs, back, *_ = manager.foresee("reschedule_booking", booking_id, **shorter).lines
    assert (costs.code, back.code) == ("booking.costs_less", "booking.difference_goes_back")
    assert back.facts["amount_minor"] == 2 * PER_HOUR_MINOR
    assert manager.tell("reschedule_booking", booking_id, **shorter) == "applied"
    returned = "SELECT CAST(sum(amount_minor) AS bigint) FROM refund WHERE studio_id = :studio"
    assert shop.one(returned) == 2 * PER_HOUR_MINOR


def test_booking_may_overlap_itself_when_it_is_moved_but_nobody_else(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    booking_id = confirm(manager, hall_id)
    confirm(manager, hall_id, starts="13:00", ends="14:00")
    assert manager.codes("reschedule_booking", booking_id, **wish(hall_id, starts="12:00", ends="14:00")) == [
        "slot_taken"
    ]
    same = wish(hall_id, starts="11:00", ends="13:00")
    assert manager.codes("reschedule_booking", booking_id, **same)[0] == "booking.costs_same"
    assert manager.tell("reschedule_booking", booking_id, **same) == "applied"


def test_form_of_a_move_begins_with_the_booking_as_it_is(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    light = manager.press("create_extra", name="Light", amount_minor=30_000).subject_id
    booking_id = confirm(manager, hall_id, extras=[{"extra_id": light}])
    initial = ACTIONS["reschedule_booking"].initial
    assert initial is not None
    with manager.desk.transaction() as connection:
        assert initial(connection, booking_id) == {
            "hall_id": str(hall_id),
            "starts_at": at(10, "10:00"),
            "ends_at": at(10, "12:00"),
            "people": 2,
            "extras": [{"extra_id": str(light), "quantity": 1}],
        }


def test_too_late_for_customers_is_too_late_for_the_desk_and_not_for_a_manager(
    manager: Clerk, support: Clerk
) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    booking_id = confirm(manager, hall_id)
    starts_at = shop.one("SELECT starts_at FROM booking WHERE id = :id", id=booking_id)
    shop.set_clock(starts_at - timedelta(hours=5))
    later = wish(hall_id, 12)
    assert support.codes("reschedule_booking", booking_id, **later) == ["too_late_to_reschedule"]
    assert manager.tell("reschedule_booking", booking_id, **later) == "applied"


def test_visit_is_completed_or_missed_once_it_has_begun(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    came, missed = confirm(manager, hall_id), confirm(manager, hall_id, starts="13:00", ends="14:00")
    assert manager.codes("complete_booking", came) == ["not_due"]
    assert manager.codes("mark_no_show", missed) == ["not_due"]
    shop.set_clock(today() + timedelta(days=10, hours=13, minutes=5))
    assert manager.tell("complete_booking", came) == "applied"
    assert manager.tell("mark_no_show", missed) == "applied"
    assert [shop.state("booking", each) for each in (came, missed)] == ["completed", "no_show"]
    assert manager.open("bookings", came) == set()


@pytest.mark.parametrize(
    "name",
    [
        "check_out_booking",
        "reschedule_booking",
        "cancel_booking",
        "waive_cancellation",
        "complete_booking",
        "mark_no_show",
    ],
)
def test_booking_of_another_studio_is_not_there(manager: Clerk, stranger: Clerk, name: str) -> None:
    hall_id = open_hall(manager)
    booking_id = confirm(manager, hall_id)
    fields: dict[str, Any] = {
        "check_out_booking": {"payment": "on_site"},
        "reschedule_booking": wish(hall_id, 11),
        "waive_cancellation": {"reason": "Mine now"},
    }.get(name, {})
    for act in (stranger.press, stranger.foresee):
        with pytest.raises(Problem) as absent:
            act(name, booking_id, **fields)
        assert absent.value.status == 404


def test_customer_and_hall_of_another_studio_are_not_there(manager: Clerk, stranger: Clerk) -> None:
    hall_id = open_hall(manager)
    own_hall = open_hall(stranger, name=f"Hall {new_id()}")
    for customer_id, where in ((stranger.shop.customer_id, hall_id), (manager.shop.customer_id, own_hall)):
        with pytest.raises(Problem) as absent:
            manager.press("book", customer_id=customer_id, **wish(where))
        assert absent.value.status == 404


def test_form_that_is_sent_twice_is_one_booking(manager: Clerk) -> None:
    hall_id, shop = open_hall(manager), manager.shop
    done = [
        manager.press("book", key="once", customer_id=shop.customer_id, **wish(hall_id)) for _ in range(2)
    ]
    assert done[0] == done[1]
    assert isinstance(done[0].operation, UUID)
    assert manager.apply(done[0].operation).state == "applied"
    assert shop.one("SELECT count(*) FROM booking WHERE studio_id = :studio") == 1
