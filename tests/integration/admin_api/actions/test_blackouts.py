"""Closing a hall: refused over bookings, which are named; only those very ones are let go, all paid back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest

from admin_api.actions import clearing as clearing_room
from kit.ids import new_id
from tests.integration.admin_api.actions.bookings import (
    PER_HOUR_MINOR,
    at,
    confirm,
    hold,
    open_hall,
    pay,
    today,
)
from tests.integration.admin_api.actions.clerk import Clerk
from web.problems import Problem

APPLYING_SECONDS = 0.05


def closing(starts: str = "09:00", ends: str = "18:00", **more: Any) -> dict[str, Any]:
    return {"starts_at": at(10, starts), "ends_at": at(10, ends), "note": "Repairs", **more}


def clearing(*booking_ids: UUID) -> dict[str, Any]:
    return closing(booking_ids=list(booking_ids), reason="A pipe burst")


@contextmanager
def applying(clerk: Clerk, *, but_not: str = "") -> Iterator[None]:
    """Meanwhile what the office accepts is applied, as the updater does."""
    done = Event()

    def work() -> None:
        while not done.wait(APPLYING_SECONDS):
            found = clerk.shop.rows(
                "SELECT command_id FROM command_journal WHERE studio_id = :studio AND state = 'accepted'"
                " AND kind <> :but_not ORDER BY sequence",
                but_not=but_not,
            )
            for (command_id,) in found:
                clerk.apply(command_id)

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def facts_of(problem: Problem) -> dict[str, Any]:
    facts = problem.facts["facts"]
    assert isinstance(facts, dict)
    return facts


def live(clerk: Clerk, hall_id: UUID) -> list[str]:
    found = clerk.shop.rows(
        "SELECT kind FROM occupancy WHERE hall_id = :id AND released_at IS NULL ORDER BY starts_at",
        id=hall_id,
    )
    return [kind for (kind,) in found]


def test_hall_is_closed_for_a_time_and_opened_again(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    (closes,) = manager.foresee("block_hall", hall_id, **closing()).lines[:1]
    assert (closes.code, closes.facts["hall"]) == ("hall.closes", "Blue")
    assert manager.tell("block_hall", hall_id, **closing()) == "applied"
    assert live(manager, hall_id) == ["blackout"]
    assert manager.codes("block_hall", hall_id, **closing("10:00", "11:00")) == ["already_blocked"]
    blackout_id = manager.shop.one("SELECT id FROM occupancy WHERE hall_id = :id", id=hall_id)
    assert manager.open("blackouts", blackout_id) == {"unblock_hall"}
    assert manager.codes("unblock_hall", blackout_id) == ["hall.opens"]
    assert manager.tell("unblock_hall", blackout_id) == "applied"
    assert live(manager, hall_id) == []
    assert manager.open("blackouts", blackout_id) == set()


def test_bookings_in_the_way_are_named_and_stay(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    first, second = confirm(manager, hall_id), hold(manager, hall_id, starts="13:00", ends="14:00")
    confirm(manager, hall_id, 12)
    refusal = manager.foresee("block_hall", hall_id, **closing()).refusal
    assert refusal == {"code": "bookings_in_the_way", "booking_ids": [str(first), str(second)]}
    assert manager.tell("block_hall", hall_id, **closing()) == "bookings_in_the_way"
    assert live(manager, hall_id) == ["booking", "hold", "booking"]


def test_those_that_were_named_are_let_go_with_a_full_refund_and_the_hall_is_closed(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    paid, held = pay(manager, hall_id), hold(manager, hall_id, starts="13:00", ends="14:00")
    lines = manager.foresee("clear_and_block_hall", hall_id, **clearing(paid, held)).lines
    assert [line.code for line in lines] == [
        "step.booking.cancel", "booking.gives_all_back", "step.booking.cancel", "hall.closes"
    ]  # fmt: skip
    with applying(manager, but_not="BlockHall"):
        done = manager.press("clear_and_block_hall", hall_id, **clearing(paid, held))
    assert manager.apply(done.operation).state == "applied"
    assert [shop.state("booking", each) for each in (paid, held)] == ["canceled", "canceled"]
    assert shop.one("SELECT amount_minor FROM refund WHERE studio_id = :studio") == 2 * PER_HOUR_MINOR
    assert live(manager, hall_id) == ["blackout"]
    reasons = shop.rows(
        "SELECT DISTINCT convert_from(body, 'UTF8')::jsonb ->> 'reason' FROM command_journal"
        " WHERE studio_id = :studio AND kind = 'CancelBooking'"
    )
    assert reasons == [("A pipe burst",)]


def test_form_that_is_sent_twice_lets_go_once_and_closes_once(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    fields = clearing(pay(manager, hall_id))
    with applying(manager):
        done = [manager.press("clear_and_block_hall", hall_id, key="once", **fields) for _ in range(2)]
    assert done[0] == done[1]
    assert shop.rows(
        "SELECT kind, count(*) FROM command_journal WHERE studio_id = :studio"
        " AND kind IN ('CancelBooking', 'BlockHall') GROUP BY kind ORDER BY kind"
    ) == [("BlockHall", 1), ("CancelBooking", 1)]


def test_booking_that_nobody_has_named_is_let_go_by_nobody(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    named, unnamed = confirm(manager, hall_id), confirm(manager, hall_id, starts="13:00", ends="14:00")
    with pytest.raises(Problem) as refused:
        manager.press("clear_and_block_hall", hall_id, **clearing(named))
    assert refused.value.code == "bookings_in_the_way"
    assert facts_of(refused.value)["booking_ids"] == [str(named), str(unnamed)]
    assert live(manager, hall_id) == ["booking", "booking"]


def test_booking_that_was_moved_out_of_the_way_meanwhile_stays(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    here, elsewhere = confirm(manager, hall_id), confirm(manager, hall_id, 12)
    with applying(manager):
        manager.press("clear_and_block_hall", hall_id, **clearing(here, elsewhere))
    assert [manager.shop.state("booking", each) for each in (here, elsewhere)] == ["canceled", "confirmed"]


def test_what_could_not_be_let_go_is_told_and_the_hall_stays_open(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    free, paying = confirm(manager, hall_id), hold(manager, hall_id, starts="13:00", ends="14:00")
    assert manager.tell("check_out_booking", paying, payment="online") == "applied"
    invoice_id = shop.one("SELECT id FROM invoice WHERE booking_id = :id", id=paying)
    attempt_id = new_id()
    assert shop.tell(shop.start(attempt_id, invoice_id)) == ["applied"]
    assert shop.tell(shop.outcome("pending", attempt_id, invoice_id)) == ["applied"]
    with applying(manager), pytest.raises(Problem) as refused:
        manager.press("clear_and_block_hall", hall_id, **clearing(free, paying))
    assert (refused.value.status, refused.value.code) == (409, "cleared_in_part")
    assert facts_of(refused.value) == {
        "canceled": 1, "kept": 1, "waiting": 0, "canceled_ids": [str(free)], "waiting_ids": [],
        "booking_ids": [str(paying)], "codes": ["payment_in_progress"],
    }  # fmt: skip
    assert live(manager, hall_id) == ["hold"]


def test_answer_that_does_not_come_is_told_as_not_known(
    manager: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall_id = open_hall(manager)
    booking_id = confirm(manager, hall_id)
    monkeypatch.setattr(clearing_room, "ANSWERS_WAIT_SECONDS", 0.1)
    with pytest.raises(Problem) as refused:
        manager.press("clear_and_block_hall", hall_id, **clearing(booking_id))
    assert refused.value.code == "cleared_in_part"
    assert facts_of(refused.value)["waiting_ids"] == [str(booking_id)]
    assert live(manager, hall_id) == ["booking"]


def test_more_than_can_be_let_go_at_once_is_refused(manager: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    hall_id = open_hall(manager)
    named = [confirm(manager, hall_id), confirm(manager, hall_id, starts="13:00", ends="14:00")]
    monkeypatch.setattr(clearing_room, "CLEARED_LIMIT", 1)
    assert manager.codes("clear_and_block_hall", hall_id, **clearing(*named)) == ["too_many_in_the_way"]


def put_clock(clerk: Clerk, hours: float) -> None:
    """So many hours into the tenth day."""
    clerk.shop.set_clock(today() + timedelta(days=10, hours=hours))


@pytest.mark.parametrize("mark", ["complete_booking", "mark_no_show", ""])
def test_visits_that_are_over_are_not_in_the_way(manager: Clerk, mark: str) -> None:
    """A leak at 14: the hall is closed from then on, whoever was there before, marked or not yet."""
    shop, hall_id = manager.shop, open_hall(manager)
    over, ahead = pay(manager, hall_id), pay(manager, hall_id, starts="16:00", ends="18:00")
    put_clock(manager, 12.5)
    if mark:
        assert manager.tell(mark, over) == "applied"
    put_clock(manager, 14)
    refusal = manager.foresee("block_hall", hall_id, **closing()).refusal
    assert refusal == {"code": "bookings_in_the_way", "booking_ids": [str(ahead)]}
    *_, closes = manager.foresee("clear_and_block_hall", hall_id, **clearing(ahead)).lines
    starts_at = datetime.fromisoformat(str(closes.facts["starts_at"]))
    assert abs(starts_at - (today() + timedelta(days=10, hours=14))) < timedelta(minutes=1)
    with applying(manager, but_not="BlockHall"):
        done = manager.press("clear_and_block_hall", hall_id, **clearing(ahead))
    assert manager.apply(done.operation).state == "applied"
    assert shop.state("booking", ahead) == "canceled"
    assert shop.state("booking", over) not in ("canceled", "expired")
    assert live(manager, hall_id)[-1] == "blackout"


def test_what_is_over_altogether_is_not_closed(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    put_clock(manager, 19)
    assert manager.codes("block_hall", hall_id, **closing()) == ["closed_in_the_past"]
    with pytest.raises(Problem) as refused:
        manager.press("block_hall", hall_id, **closing())
    assert (refused.value.status, refused.value.code) == (409, "closed_in_the_past")


@pytest.mark.parametrize("is_completed", [True, False])
def test_over_a_visit_that_cannot_be_canceled_nobody_is_let_go(manager: Clerk, is_completed: bool) -> None:
    """It was marked before its end; or it has ended, and only the airing after it is in the way."""
    shop, hall_id = manager.shop, open_hall(manager, buffer_after_minutes=60)
    came, ahead = pay(manager, hall_id), pay(manager, hall_id, starts="15:00", ends="17:00")
    put_clock(manager, 11 if is_completed else 12.5)
    if is_completed:
        assert manager.tell("complete_booking", came) == "applied"
    refusal = {"code": "visits_in_the_way", "booking_ids": [str(came)]}
    assert manager.foresee("clear_and_block_hall", hall_id, **clearing(came, ahead)).refusal == refusal
    with pytest.raises(Problem) as refused:
        manager.press("clear_and_block_hall", hall_id, **clearing(came, ahead))
    assert (refused.value.status, refused.value.code) == (409, "visits_in_the_way")
    assert facts_of(refused.value) == {"booking_ids": [str(came)]}
    assert shop.state("booking", ahead) == "confirmed"
    assert shop.rows("SELECT id FROM refund WHERE studio_id = :studio") == []
    # After it there is nothing that cannot be let go.
    later = {**clearing(ahead), "starts_at": at(10, "13:00")}
    assert manager.codes("clear_and_block_hall", hall_id, **later)[-1] == "hall.closes"


def test_hall_is_closed_for_a_year_at_most(manager: Clerk) -> None:
    hall_id = open_hall(manager)
    with pytest.raises(Problem) as wrong:
        manager.foresee("block_hall", hall_id, starts_at="2027-01-01 00:00", ends_at="2029-01-01 00:00")
    assert wrong.value.facts["errors"] == [{"at": "body.ends_at", "fault": "too_long"}]


def test_closing_is_for_who_manages_and_only_in_the_own_studio(
    manager: Clerk, support: Clerk, stranger: Clerk
) -> None:
    hall_id = open_hall(manager)
    booking_id = confirm(manager, hall_id, 20)
    for name, fields in (("block_hall", closing()), ("clear_and_block_hall", clearing(booking_id))):
        for clerk, status in ((support, 403), (stranger, 404)):
            with pytest.raises(Problem) as refused:
                clerk.press(name, hall_id, **fields)
            assert refused.value.status == status
