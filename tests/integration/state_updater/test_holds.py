"""Holding a time, going on with it, and losing it: one hall is never taken twice, whoever asks together."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest

from bus.messages import Command
from kit.ids import new_id
from state_updater import statements
from state_updater.apply import Received
from state_updater.reading import Reader
from storage.locks import advisory_key
from tests.integration.state_updater.shops import Shop, faults, said
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

WAIT_SECONDS = 20.0


def test_a_hold_is_paid_and_confirmed(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    assert stage.taken() == [("hold", 12, 14)]
    assert stage.state("booking", booking_id) == "awaiting_payment"
    ((own_id, invoice_expires_at, hold_expires_at),) = stage.rows(
        "SELECT i.booking_id, i.expires_at, b.hold_expires_at FROM invoice i JOIN booking b"
        " ON b.id = i.booking_id WHERE i.id = :id",
        id=invoice_id,
    )
    assert (own_id, invoice_expires_at) == (booking_id, hold_expires_at)
    assert stage.tell(stage.paid_for(attempt_id, invoice_id)) == ["applied"]
    assert stage.state("booking", booking_id) == "confirmed"
    assert stage.state("invoice", invoice_id) == "paid"
    assert stage.taken() == [("booking", 12, 14)]
    assert stage.events(booking_id) == ["booking.created", "booking.confirmed"]
    assert stage.balances() == {"provider_clearing": TOTAL_MINOR, "sales": -TOTAL_MINOR}


def test_the_whole_story_in_one_group_is_the_same_story(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = new_id(), new_id(), new_id()
    answers = stage.send(
        stage.hold(booking_id),
        stage.check_out(booking_id, invoice_id),
        stage.start(attempt_id, invoice_id),
        stage.paid_for(attempt_id, invoice_id),
        stage.move(booking_id, stage.offer_of(13)),
        stage.let_go(booking_id),
    )
    assert [said(answer) for answer in answers] == ["applied"] * 6
    assert answers[1].result == {
        "booking_id": str(booking_id),
        "state": "awaiting_payment",
        "invoice_id": str(invoice_id),
    }
    assert stage.state("booking", booking_id) == "canceled"
    assert stage.refunds(booking_id) == [(TOTAL_MINOR, "terms", "sent")]
    assert stage.taken() == []
    assert faults(stage.url) == []


def test_the_halls_buffers_are_taken_with_it(stage: Stage) -> None:
    hall_id = new_id()
    stage.add_hall(hall_id, before=15, after=30)
    stage.held(stage.offer_of(12, hall_id=hall_id))
    assert stage.taken(hall_id) == [("hold", 11.75, 14.5)]
    assert stage.tell(
        stage.hold(new_id(), stage.offer_of(14.5, hall_id=hall_id)),
        stage.hold(new_id(), stage.offer_of(14.75, hall_id=hall_id)),
    ) == ["slot_taken", "applied"]


@pytest.mark.parametrize(("starts", "ends"), [(12, 14), (11, 13), (13, 15), (12.5, 13), (10, 20)])
def test_a_taken_time_is_refused_and_its_neighbors_are_not(stage: Stage, starts: float, ends: float) -> None:
    stage.held()
    assert stage.tell(
        stage.hold(new_id(), stage.offer_of(starts, ends)),
        stage.hold(new_id(), stage.offer_of(10, 12)),
        stage.hold(new_id(), stage.offer_of(14, 16)),
    ) == ["slot_taken", "applied", "applied"]


def test_another_hall_is_free_at_the_same_time(stage: Stage) -> None:
    hall_id = new_id()
    stage.add_hall(hall_id)
    stage.held()
    stage.held(stage.offer_of(hall_id=hall_id))


def test_what_cannot_be_sold_is_refused(stage: Stage, other_shop: Shop) -> None:
    hall_id, foreign_id = new_id(), new_id()
    stage.add_hall(hall_id)
    stage.rows("UPDATE hall SET is_active = false WHERE id = :id", id=hall_id)
    stage.set_clock(stage.at(12))
    assert stage.tell(
        stage.hold(new_id(), stage.offer_of(11.5)),
        stage.hold(new_id(), stage.offer_of(15, hall_id=hall_id)),
        stage.hold(new_id(), stage.offer_of(15, hall_id=foreign_id)),
        stage.hold(new_id(), stage.offer_of(15, total_minor=10**12 + 0), customer_id=other_shop.customer_id),
        stage.hold(new_id(), stage.offer_of(15, extras={new_id(): 1})),
    ) == ["slot_in_the_past", "hall_not_for_sale", "not_found", "not_found", "not_found"]
    lines = stage.offer_of(total_minor=10**12).lines * 2
    assert stage.tell(stage.hold(new_id(), stage.offer_of(15, lines=lines))) == ["exceeds_amount_limit"]
    assert stage.taken() == []


def test_a_customer_holds_so_many_times_and_no_more(stage: Stage) -> None:
    stage.set_studio(holds_limit=2)
    first = stage.held(stage.offer_of(10))
    answers = stage.send(
        stage.hold(new_id(), stage.offer_of(12)),
        stage.hold(new_id(), stage.offer_of(14)),
        stage.hold(new_id(), stage.offer_of(14), customer_id=stage.add_customer()),
    )
    assert [said(answer) for answer in answers] == ["applied", "too_many_holds", "applied"]
    assert answers[1].problem == {"code": "too_many_holds", "limit": 2}
    assert stage.tell(stage.hold(new_id(), stage.offer_of(16), origin="staff")) == ["applied"]
    told = stage.tell(
        stage.let_go(first), stage.let_go(first), stage.hold(new_id(), stage.offer_of(18), origin="staff")
    )
    assert told == ["applied", "transition_refused", "applied"]


def test_a_customer_promises_to_pay_on_site_so_often_and_no_more(stage: Stage) -> None:
    """Else each promise would make room for another hold."""
    stage.set_studio(on_site_limit=2, pays_on_site=True)
    held = [stage.held(stage.offer_of(hour)) for hour in (10, 12, 14)]
    answers = stage.send(*(stage.check_out(booking_id, payment="on_site") for booking_id in held))
    assert [said(answer) for answer in answers] == ["applied", "applied", "too_many_on_site"]
    assert answers[2].problem == {"code": "too_many_on_site", "limit": 2}
    other_id = stage.add_customer()
    theirs = stage.held(stage.offer_of(16), customer_id=other_id)
    assert stage.tell(stage.check_out(theirs, payment="on_site", customer_id=other_id)) == ["applied"]
    by_staff = stage.held(stage.offer_of(18), origin="staff")
    assert stage.tell(
        stage.check_out(by_staff, payment="on_site", origin="staff"), stage.check_out(held[2])
    ) == ["applied", "applied"]


def test_what_has_begun_or_was_let_go_is_no_promise_to_pay_any_more(stage: Stage) -> None:
    stage.set_studio(on_site_limit=1, pays_on_site=True)
    begun, canceled, last = (stage.held(stage.offer_of(hour), origin="staff") for hour in (10, 12, 14))
    assert stage.tell(stage.check_out(begun, payment="on_site")) == ["applied"]
    assert stage.tell(stage.check_out(canceled, payment="on_site")) == ["too_many_on_site"]
    stage.rows("UPDATE booking SET hold_expires_at = starts_at WHERE studio_id = :studio")
    stage.set_clock(stage.at(10.5))
    assert stage.tell(
        stage.check_out(canceled, payment="on_site"),
        stage.check_out(last, payment="on_site"),
        stage.let_go(canceled),
        stage.check_out(last, payment="on_site"),
    ) == ["applied", "too_many_on_site", "applied", "applied"]


def test_staff_holds_for_longer(stage: Stage) -> None:
    stage.set_studio(hold_seconds=600, staff_hold_seconds=7_200)
    for origin, seconds in (("customer", 600), ("staff", 7_200)):
        booking_id = stage.held(stage.offer_of(10 if origin == "staff" else 12), origin=origin)
        ((created_at, hold_expires_at),) = stage.rows(
            "SELECT created_at, hold_expires_at FROM booking WHERE id = :id", id=booking_id
        )
        assert hold_expires_at - created_at == timedelta(seconds=seconds)


# ------------------------------------------------------------------ extras


def test_no_more_of_an_extra_is_out_than_there_are(stage: Stage) -> None:
    hall_id = new_id()
    stage.add_hall(hall_id)
    extra_id = stage.add_extra(3)
    booking_id = stage.held(stage.offer_of(12, extras={extra_id: 2}))
    answers = stage.send(
        stage.hold(new_id(), stage.offer_of(13, hall_id=hall_id, extras={extra_id: 2})),
        stage.hold(new_id(), stage.offer_of(13, hall_id=hall_id, extras={extra_id: 1}), origin="staff"),
        stage.hold(new_id(), stage.offer_of(15, hall_id=hall_id, extras={extra_id: 3}), origin="staff"),
    )
    assert [said(answer) for answer in answers] == ["extra_not_free", "applied", "applied"]
    assert answers[0].problem == {"code": "extra_not_free", "extra_id": str(extra_id), "free": 1}
    assert stage.out(extra_id) == 6
    assert stage.tell(stage.let_go(booking_id)) == ["applied"]
    assert stage.out(extra_id) == 4


def test_the_same_extra_named_twice_is_wanted_as_often(stage: Stage) -> None:
    extra_id = stage.add_extra(3)
    offer = stage.offer_of(extras={extra_id: 2})
    twice = offer.model_copy(update={"extras": offer.extras * 2})
    assert stage.tell(stage.hold(new_id(), twice)) == ["extra_not_free"]
    assert stage.tell(stage.hold(new_id(), offer)) == ["applied"]


def test_an_extra_of_another_hall_or_off_sale_is_not_free_and_one_without_stock_always_is(
    stage: Stage,
) -> None:
    hall_id = new_id()
    stage.add_hall(hall_id)
    elsewhere, off_sale, endless = stage.add_extra(5, hall_id), stage.add_extra(5), stage.add_extra(None)
    stage.rows("UPDATE extra SET is_active = false WHERE id = :id", id=off_sale)
    assert stage.tell(
        stage.hold(new_id(), stage.offer_of(extras={elsewhere: 1})),
        stage.hold(new_id(), stage.offer_of(extras={off_sale: 1})),
        stage.hold(new_id(), stage.offer_of(extras={endless: 10_000})),
    ) == ["extra_not_free", "extra_not_free", "applied"]


# ------------------------------------------------------------------ going on


def test_on_site_is_for_those_the_studio_allows_it(stage: Stage) -> None:
    first, second = stage.held(stage.offer_of(10)), stage.held(stage.offer_of(12))
    assert stage.tell(
        stage.check_out(first, payment="on_site"), stage.check_out(first, payment="on_site", origin="staff")
    ) == ["on_site_not_offered", "applied"]
    stage.set_studio(pays_on_site=True)
    (answer,) = stage.send(stage.check_out(second, payment="on_site"))
    assert answer.result == {"booking_id": str(second), "state": "confirmed"}
    assert stage.taken() == [("booking", 10, 12), ("booking", 12, 14)]
    assert stage.rows("SELECT id FROM invoice WHERE studio_id = :studio") == []
    assert stage.balances() == {}


def test_who_checked_out_does_not_do_it_again(stage: Stage) -> None:
    booking_id, _, _ = stage.awaiting()
    assert (
        stage.tell(
            stage.check_out(booking_id), stage.check_out(booking_id, payment="on_site", origin="staff")
        )
        == ["transition_refused"] * 2
    )


def test_after_its_deadline_a_hold_does_not_go_on(stage: Stage) -> None:
    booking_id = stage.held()
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.check_out(booking_id)) == ["hold_expired"]
    assert stage.tell(stage.check_out(booking_id, payment="on_site", origin="staff")) == ["hold_expired"]


def test_a_booking_of_another_customer_is_not_there(stage: Stage) -> None:
    booking_id, stranger_id = stage.held(), stage.add_customer()
    assert (
        stage.tell(
            stage.check_out(booking_id, customer_id=stranger_id),
            stage.let_go(booking_id, customer_id=stranger_id),
            stage.move(booking_id, stage.offer_of(16), customer_id=stranger_id),
            stage.expire_hold(booking_id, customer_id=stranger_id),
        )
        == ["not_found"] * 4
    )


# ------------------------------------------------------------------ losing it


def test_a_hold_expires_at_its_deadline_and_not_before(stage: Stage) -> None:
    extra_id = stage.add_extra(1)
    booking_id = stage.held(stage.offer_of(extras={extra_id: 1}))
    assert stage.tell(stage.expire_hold(booking_id)) == ["not_due"]
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.expire_hold(booking_id), stage.expire_hold(booking_id)) == [
        "applied",
        "transition_refused",
    ]
    assert stage.state("booking", booking_id) == "expired"
    assert (stage.taken(), stage.out(extra_id)) == ([], 0)
    assert stage.events(booking_id) == ["booking.created", "booking.expired"]


def test_an_open_page_does_not_keep_a_hold(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    assert stage.state("invoice", invoice_id) == "expired"
    assert stage.state("payment_attempt", attempt_id) == "canceled"
    assert stage.balances() == {}


@pytest.mark.parametrize("state", ["sent", "pending", "unknown"])
def test_money_that_may_be_moving_is_waited_for_and_not_for_ever(stage: Stage, state: str) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting(method="link")
    if state != "sent":
        stage.tell(stage.outcome(state, attempt_id, invoice_id))
    stage.pass_deadline(booking_id, minutes=14)
    assert stage.tell(stage.expire_hold(booking_id)) == ["payment_in_progress"]
    stage.pass_deadline(booking_id, minutes=15)
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]
    assert stage.state("booking", booking_id) == "expired"
    assert stage.state("invoice", invoice_id) == "expired"
    assert stage.state("payment_attempt", attempt_id) == state
    assert stage.taken() == []


def test_the_invoice_of_a_hold_is_closed_with_the_hold_alone(stage: Stage) -> None:
    booking_id, invoice_id, _ = stage.awaiting()
    stage.pass_deadline(booking_id)
    assert stage.tell(stage.void(invoice_id), stage.expire(invoice_id)) == ["invoice_of_booking"] * 2
    assert stage.state("invoice", invoice_id) == "open"


def test_who_cancels_a_hold_gives_everything_back(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    (answer,) = stage.send(stage.let_go(booking_id))
    assert answer.result == {"booking_id": str(booking_id), "state": "canceled", "refund_minor": 0}
    assert stage.state("invoice", invoice_id) == "void"
    assert stage.state("payment_attempt", attempt_id) == "canceled"
    assert stage.taken() == []
    assert stage.balances() == {}


def test_a_hold_is_not_canceled_while_money_may_be_moving(stage: Stage) -> None:
    booking_id, _, _ = stage.awaiting(method="link")
    assert stage.tell(stage.let_go(booking_id)) == ["payment_in_progress"]
    assert stage.state("booking", booking_id) == "awaiting_payment"


# ------------------------------------------------------------------ together


def test_in_one_group_one_gives_a_time_back_and_another_takes_it(stage: Stage) -> None:
    """By rows of four customers: each release is written before the hold that it makes room for."""
    extra_id = stage.add_extra(1)
    customers = [stage.add_customer() for _ in range(4)]
    offer = stage.offer_of(extras={extra_id: 1})
    bookings = [new_id() for _ in customers]
    story: list[Command] = []
    for booking_id, customer_id in zip(bookings, customers, strict=True):
        story.append(stage.hold(booking_id, offer, customer_id=customer_id))
        story.append(stage.hold(new_id(), offer))
        story.append(stage.let_go(booking_id, customer_id=customer_id))
    answers = stage.send(*story, stage.hold(new_id(), offer))
    assert [said(answer) for answer in answers] == ["applied", "slot_taken", "applied"] * 4 + ["applied"]
    assert stage.taken() == [("hold", 12, 14)]
    assert stage.out(extra_id) == 1
    assert faults(stage.url) == []


def test_in_one_group_a_hold_expires_and_another_takes_the_time(stage: Stage) -> None:
    booking_id, other_id = stage.held(), stage.add_customer()
    stage.pass_deadline(booking_id)
    answers = stage.send(
        stage.hold(new_id(), customer_id=other_id),
        stage.expire_hold(booking_id),
        stage.hold(new_id(), customer_id=other_id),
    )
    assert [said(answer) for answer in answers] == ["slot_taken", "applied", "applied"]


def test_of_two_customers_in_one_group_the_first_has_it(stage: Stage) -> None:
    answers = stage.send(stage.hold(new_id()), stage.hold(new_id(), customer_id=stage.add_customer()))
    assert [said(answer) for answer in answers] == ["applied", "slot_taken"]


def test_of_many_consumers_at_once_one_has_the_time(stage: Stage) -> None:
    """No refusal here is the exclusion constraint's: that would be an error of its own."""
    extra_id = stage.add_extra(1)
    twins = [Stage(stage.url, studio_id=stage.studio_id, hall_id=stage.hall_id) for _ in range(4)]
    for round_number in range(5):
        offer = stage.offer_of(8 + 2 * round_number, extras={extra_id: 1})
        groups = [
            [stage.accept(stage.hold(new_id(), offer, customer_id=stage.add_customer()))] for _ in twins
        ]
        told = _at_once(twins, groups)
        assert sorted(told) == ["applied", "slot_taken", "slot_taken", "slot_taken"]
    for twin in twins:
        twin.close()
    assert faults(stage.url) == []


def test_consumers_that_want_two_halls_in_both_orders_never_wait_for_each_other(stage: Stage) -> None:
    halls = [stage.hall_id, new_id()]
    stage.add_hall(halls[1])
    twins = [Stage(stage.url, studio_id=stage.studio_id, hall_id=stage.hall_id) for _ in range(2)]
    for round_number in range(10):
        groups = [
            [
                stage.accept(
                    stage.hold(
                        new_id(),
                        stage.offer_of(2 * round_number, hall_id=hall_id),
                        customer_id=stage.add_customer(),
                    )
                )
                for hall_id in order
            ]
            for order in (halls, halls[::-1])
        ]
        assert sorted(_at_once(twins, groups)) == ["applied", "applied", "slot_taken", "slot_taken"]
    for twin in twins:
        twin.close()


def test_of_two_consumers_with_the_last_of_an_extra_one_has_it(stage: Stage) -> None:
    """Of different halls: only the extra's own lock makes them wait."""
    extra_id, hall_id = stage.add_extra(1), new_id()
    stage.add_hall(hall_id)
    twins = [Stage(stage.url, studio_id=stage.studio_id) for _ in range(2)]
    for round_number in range(5):
        groups = [
            [
                stage.accept(
                    stage.hold(
                        new_id(),
                        stage.offer_of(2 * round_number, hall_id=hall, extras={extra_id: 1}),
                        customer_id=stage.add_customer(),
                    )
                )
            ]
            for hall in (stage.hall_id, hall_id)
        ]
        assert sorted(_at_once(twins, groups)) == ["applied", "extra_not_free"]
    for twin in twins:
        twin.close()


def _at_once(twins: list[Stage], groups: list[list[Received]]) -> list[str]:
    """Each group by a consumer of its own; what became of all their commands."""
    start, told = threading.Barrier(len(twins)), list[str]()

    def consume(twin: Stage, group: list[Received]) -> None:
        start.wait(WAIT_SECONDS)
        told.extend(said(answer) for answer in twin.apply(group))

    threads = [
        threading.Thread(target=consume, args=(twin, group))
        for twin, group in zip(twins, groups, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    return told


def test_the_lock_of_a_hall_is_the_same_however_it_is_found(stage: Stage) -> None:
    """Named by a message, or found in a booking by the database."""
    extra_id = stage.add_extra(1)
    booking_id = stage.held(stage.offer_of(extras={extra_id: 1}))
    reader = Reader(stage.updater, locking=True)
    reader.ask_any(statements.LOCK_LENT, [], [booking_id], [booking_id])
    held = {_signed(high, low) for high, low in _advisory_locks(stage)}
    stage.updater.rollback()
    assert held == {advisory_key(stage.hall_id), advisory_key(extra_id)}


def _advisory_locks(stage: Stage) -> list[tuple[int, int]]:
    pid = stage.updater.info.backend_pid
    found = stage.rows(
        "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = :pid",
        pid=pid,
    )
    return [(int(high), int(low)) for high, low in found]


def _signed(high: int, low: int) -> int:
    return int.from_bytes(((high << 32) | low).to_bytes(8, "big"), "big", signed=True)


def test_a_command_that_names_no_booking_asks_for_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a group without bookings costs what it did."""
    asked: list[str] = []
    run = Reader.run

    def note(reader: Reader, statement: str, *parameters: list[UUID]) -> object:
        asked.append(statement)
        return run(reader, statement, *parameters)

    subscription_id, invoice_id, attempt_id = stage.offer()
    monkeypatch.setattr(Reader, "run", note)
    assert stage.tell(stage.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]
    of_bookings = {"booking", "occupancy", "extra_use", "hall", "extra"}
    words = {word for statement in asked for word in statement.replace(".", " ").split()}
    assert words & of_bookings == set()
    assert statements.BOOKINGS_OF_INVOICES in asked
