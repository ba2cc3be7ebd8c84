from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from admin_api.bookings import today as today_room
from admin_api.bookings.today import BOOKING_KINDS, read_today
from admin_api.desk import Desk
from kit.ids import new_id
from tests.integration.admin_api.bookings.rows import TOTAL_MINOR, bill, book, build_hall
from tests.integration.admin_api.dashboards.rows import attempt, promise_declined, receive
from tests.integration.state_updater.shops import Shop

Sit = Callable[..., Desk]

# Three in the afternoon in Moscow.
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def hour(number: float) -> datetime:
    """By the clock in Moscow, on the 21st."""
    return datetime(2026, 11, 20, 21, tzinfo=UTC) + timedelta(hours=number)


def test_who_comes_today_is_told_in_order_with_what_they_pay(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    hall, other_hall = build_hall(shop, "Large"), build_hall(shop, "Small")
    book(other_shop, build_hall(other_shop, "Theirs"), hour(12))
    on_site = book(shop, other_hall, hour(18), payment="on_site", people=12)
    paid = book(shop, hall, hour(10), state="completed")
    bill(shop, paid, TOTAL_MINOR)
    surcharged = book(shop, hall, hour(16))
    bill(shop, surcharged, TOTAL_MINOR - 100)
    held = book(shop, hall, hour(19), state="held", hold_expires_at=NOW)
    for state in ("canceled", "expired"):
        book(shop, hall, hour(12), state=state)
    book(shop, hall, hour(-1))
    book(shop, hall, hour(24))

    arrivals = read_today(sit(shop, now=NOW)).arrivals

    assert [(one.booking_id, one.paid, one.due.amount_minor) for one in arrivals] == [
        (paid, "paid", 0),
        (surcharged, "unpaid", 100),
        (on_site, "on_site", TOTAL_MINOR),
        (held, "unpaid", TOTAL_MINOR),
    ]
    assert (arrivals[2].hall, arrivals[2].people) == ("Small", 12)
    assert [one.hold_expires_at for one in arrivals] == [None, None, None, NOW]


def test_extras_are_told_as_people_say_them(shop: Shop, sit: Sit) -> None:
    booking = book(shop, build_hall(shop, "Large"), hour(18))
    lend(shop, booking, "Microphone", 2)
    lend(shop, booking, "Amplifier", 1)
    lend(shop, booking, "Drums", 1, is_back=True)
    (arrival,) = read_today(sit(shop, now=NOW)).arrivals
    assert arrival.extras == ["1 × Amplifier", "2 × Microphone"]


def test_what_waits_for_payment_is_told_by_its_deadline_whatever_the_day(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    later = book(shop, hall, hour(100), state="held", hold_expires_at=NOW + timedelta(hours=2))
    sooner = book(shop, hall, hour(200), state="awaiting_payment", hold_expires_at=NOW + timedelta(hours=1))
    book(shop, hall, hour(18))
    waiting = read_today(sit(shop, now=NOW)).waiting
    assert [one.booking_id for one in waiting] == [sooner, later]


def test_visits_that_began_and_were_not_marked_are_told(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    yesterday = book(shop, hall, hour(-3))
    now_here = book(shop, hall, NOW - timedelta(minutes=1), 3)
    book(shop, hall, hour(12), state="no_show")
    book(shop, hall, hour(20))
    assert [one.booking_id for one in read_today(sit(shop, now=NOW)).unmarked] == [yesterday, now_here]


def test_open_surcharge_is_told_and_the_invoice_of_a_hold_is_none(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    moved = book(shop, hall, hour(50))
    bill(shop, moved, TOTAL_MINOR)
    surcharge = bill(shop, moved, 0, 500)
    held = book(shop, hall, hour(60), state="awaiting_payment", hold_expires_at=NOW)
    bill(shop, held, 0)
    (one,) = read_today(sit(shop, now=NOW)).surcharges
    assert (one.invoice_id, one.booking_id, one.due.amount_minor) == (surcharge, moved, 500)


def test_late_money_of_a_lost_booking_is_told_until_it_goes_back(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    lost = book(shop, hall, hour(12), state="expired")
    pay_late(shop, bill(shop, lost, 0, state="expired"), 700)
    pay_late(shop, bill(shop, lost, 0, state="expired"), 900, refunded_minor=900)
    receive(shop, NOW, 5_000)
    (one,) = read_today(sit(shop, now=NOW)).late_money
    assert (one.booking_id, one.state, one.remaining.amount_minor) == (lost, "expired", 700)


def test_what_was_promised_and_declined_is_told_until_it_is_asked_for_again(
    shop: Shop, other_shop: Shop, sit: Sit
) -> None:
    canceled = book(shop, build_hall(shop, "Large"), hour(12), state="canceled")
    payment_id = promise_declined(shop, NOW, 700, bill(shop, canceled, TOTAL_MINOR))
    theirs = book(other_shop, build_hall(other_shop, "Theirs"), hour(12), state="canceled")
    promise_declined(other_shop, NOW, 900, bill(other_shop, theirs, TOTAL_MINOR))
    (one,) = read_today(sit(shop, now=NOW)).owed_refunds
    assert (one.payment_id, one.booking_id, one.state) == (payment_id, canceled, "canceled")
    assert (one.declined_at, one.remaining.amount_minor) == (NOW, 700)
    shop.rows("UPDATE provider_payment SET reserved_minor = 700 WHERE id = :id", id=payment_id)
    assert read_today(sit(shop, now=NOW)).owed_refunds == []


def test_late_money_that_was_declined_is_told_once(shop: Shop, sit: Sit) -> None:
    lost = book(shop, build_hall(shop, "Large"), hour(12), state="expired")
    invoice_id = bill(shop, lost, 0, state="expired")
    payment_id = promise_declined(shop, NOW, 700)
    pay_late(shop, invoice_id, 800)
    shop.rows(
        "UPDATE provider_payment SET attempt_id = a.id FROM payment_attempt a"
        " WHERE a.invoice_id = :invoice AND provider_payment.id = :id",
        id=payment_id,
        invoice=invoice_id,
    )
    today = read_today(sit(shop, now=NOW))
    assert [one.remaining.amount_minor for one in today.late_money] == [800]
    assert [(one.booking_id, one.remaining.amount_minor) for one in today.owed_refunds] == [(lost, 700)]


def test_bookings_where_nothing_is_sold_any_more_are_told_with_the_reason(shop: Shop, sit: Sit) -> None:
    hall, old = build_hall(shop, "Large"), build_hall(shop, "Old")
    outside = book(shop, hall, hour(45.5), 1)
    inside = book(shop, hall, hour(34), 1)
    in_old = book(shop, old, hour(36))
    book(shop, hall, hour(9), 1)
    book(shop, hall, hour(24 * 40), 1)
    shop.rows("UPDATE hall SET is_active = false WHERE id = :id", id=old)
    misplaced = read_today(sit(shop, now=NOW)).misplaced
    assert [(one.booking_id, one.reason) for one in misplaced] == [
        (in_old, "hall_inactive"),
        (outside, "outside_hours"),
    ]
    assert inside not in {one.booking_id for one in misplaced}


@pytest.mark.parametrize(("role", "count"), [("owner", 1), ("manager", 0), ("support", 0)])
def test_parked_commands_about_bookings_are_for_who_handles_them(
    shop: Shop, sit: Sit, role: str, count: int
) -> None:
    parked = shop.accept(shop.issue(new_id()))
    shop.rows(
        "UPDATE command_journal SET state = 'parked', answered_at = now(), problem = '{}',"
        " kind = 'CancelBooking' WHERE command_id = :id",
        id=parked.command_id,
    )
    other = shop.accept(shop.issue(new_id()))
    shop.rows(
        "UPDATE command_journal SET state = 'parked', answered_at = now(), problem = '{}'"
        " WHERE command_id = :id",
        id=other.command_id,
    )
    assert [one.command_id for one in read_today(sit(shop, role, NOW)).parked] == [parked.command_id] * count


def test_commands_about_bookings_are_all_of_them() -> None:
    assert set(BOOKING_KINDS) == {
        "HoldBooking",
        "CheckOutBooking",
        "ExpireHold",
        "RescheduleBooking",
        "CancelBooking",
        "CompleteBooking",
        "MarkNoShow",
        "BlockHall",
        "UnblockHall",
    }


def test_lists_are_bounded(shop: Shop, sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(today_room, "TODAY_LIMIT", 2)
    hall = build_hall(shop, "Large")
    for number in range(3):
        book(shop, hall, hour(10 + number))
        book(shop, hall, hour(50 + 6 * number), state="held", hold_expires_at=NOW)
    today = read_today(sit(shop, now=NOW))
    assert (len(today.arrivals), len(today.waiting), len(today.unmarked)) == (2, 2, 2)


def pay_late(shop: Shop, invoice_id: object, amount_minor: int, refunded_minor: int = 0) -> None:
    attempt_id = attempt(shop, "succeeded", NOW)
    receive(shop, NOW, amount_minor, refunded_minor=refunded_minor)
    with shop.owner.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE payment_attempt SET invoice_id = :invoice WHERE id = :id"),
            {"invoice": invoice_id, "id": attempt_id},
        )
        connection.execute(
            text(
                "UPDATE provider_payment SET attempt_id = :attempt WHERE attempt_id IS NULL"
                " AND studio_id = :studio"
            ),
            {"attempt": attempt_id, "studio": shop.studio_id},
        )


def lend(shop: Shop, booking_id: object, name: str, quantity: int, *, is_back: bool = False) -> None:
    extra_id = new_id()
    shop.rows(
        "INSERT INTO extra (id, studio_id, name, unit, amount_minor)"
        " VALUES (:id, :studio, :name, 'hour', 100)",
        id=extra_id,
        name=name,
    )
    shop.rows(
        "INSERT INTO extra_use (id, studio_id, extra_id, booking_id, quantity, starts_at, ends_at,"
        " created_at, released_at)"
        " SELECT :id, studio_id, :extra, id, :quantity, starts_at, ends_at, created_at,"
        " CASE WHEN :is_back THEN created_at END FROM booking WHERE id = :booking",
        id=new_id(),
        extra=extra_id,
        booking=booking_id,
        quantity=quantity,
        is_back=is_back,
    )
