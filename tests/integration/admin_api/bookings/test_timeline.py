from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from admin_api.bookings import reading
from admin_api.bookings.days import choose_days
from admin_api.bookings.reading import read_timeline
from admin_api.bookings.views import Timeline
from admin_api.dashboards.periods import calendar_of
from admin_api.desk import Desk
from tests.integration.admin_api.bookings.rows import add_customer, book, build_hall, occupy
from tests.integration.state_updater.shops import Shop
from web.problems import Problem

Sit = Callable[..., Desk]

# Three in the afternoon in Moscow.
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def read(desk: Desk, on: str = "2026-11-21", count: int = 1) -> Timeline:
    return read_timeline(desk, choose_days(calendar_of(desk), on, count))


def hour(number: int) -> datetime:
    """By the clock in Moscow, on the 21st."""
    return datetime(2026, 11, 20, 21, tzinfo=UTC) + timedelta(hours=number)


def test_each_hall_has_its_hours_and_who_has_it_in_order(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    second, first = (build_hall(shop, name, position=place) for name, place in (("Small", 2), ("Large", 1)))
    build_hall(other_shop, "Theirs")
    anna = add_customer(shop, "Anna")
    late = book(shop, first, hour(18), 2, "held", customer_id=anna, hold_expires_at=NOON)
    early = book(shop, first, hour(12), customer_id=anna)
    occupy(shop, second, hour(10), hour(12), note="Tuning")

    timeline = read(sit(shop, now=NOON))

    assert [hall.name for hall in timeline.halls] == ["Large", "Small"]
    large, small = timeline.halls
    assert [(span.starts_at, span.ends_at) for span in large.open] == [(hour(10), hour(22))]
    assert [(one.booking_id, one.state, one.customer) for one in large.taken] == [
        (early, "confirmed", "Anna"),
        (late, "held", "Anna"),
    ]
    assert [one.hold_expires_at for one in large.taken] == [None, NOON]
    assert [(one.kind, one.note, one.booking_id) for one in small.taken] == [("blackout", "Tuning", None)]
    assert not timeline.is_cut


def test_buffers_are_told_apart_from_the_visit(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    book(shop, hall, hour(12), 1, buffer_after=timedelta(minutes=30))
    (one,) = read(sit(shop, now=NOON)).halls[0].taken
    assert (one.visit_ends_at, one.ends_at) == (hour(13), hour(13) + timedelta(minutes=30))


def test_what_was_let_go_and_what_is_on_other_days_is_not_there(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    book(shop, hall, hour(12), state="canceled")
    book(shop, hall, hour(-1), 1)
    book(shop, hall, hour(24), 1)
    gone = occupy(shop, hall, hour(14), hour(15))
    shop.rows("UPDATE occupancy SET released_at = now() WHERE id = :id", id=gone)
    over_midnight = book(shop, hall, hour(23), 1)
    assert [one.booking_id for one in read(sit(shop, now=NOON)).halls[0].taken] == [over_midnight]


def test_hall_that_was_given_up_is_there_while_somebody_has_it(shop: Shop, sit: Sit) -> None:
    hall, empty = build_hall(shop, "Old"), build_hall(shop, "Older")
    book(shop, hall, hour(12))
    for given_up in (hall, empty):
        shop.rows("UPDATE hall SET is_active = false WHERE id = :id", id=given_up)
    desk = sit(shop, now=NOON)
    (shown,) = read(desk).halls
    assert (shown.hall_id, shown.is_active, shown.open) == (hall, False, [])
    assert read(desk, "2026-11-22").halls == []


def test_day_of_twenty_five_hours_has_all_of_them(shop: Shop, sit: Sit) -> None:
    shop.rows("UPDATE studio SET timezone = 'Europe/Berlin' WHERE id = :studio")
    always = ({"weekdays": [7], "opens": "00:00", "closes": "24:00"},)
    build_hall(shop, "Large", always)
    (span,) = read(sit(shop, now=NOON), "2026-10-25").halls[0].open
    assert span.ends_at - span.starts_at == timedelta(hours=25)


def test_more_than_the_limits_let_through_is_said(
    shop: Shop, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = build_hall(shop, "Large")
    build_hall(shop, "Small")
    for number in range(3):
        book(shop, hall, hour(10 + number))
    monkeypatch.setattr(reading, "TAKEN_LIMIT", 2)
    timeline = read(sit(shop, now=NOON))
    assert timeline.is_cut
    assert sum(len(each.taken) for each in timeline.halls) == 2
    monkeypatch.setattr(reading, "TAKEN_LIMIT", 10)
    monkeypatch.setattr(reading, "HALLS_LIMIT", 1)
    timeline = read(sit(shop, now=NOON))
    assert timeline.is_cut
    assert len(timeline.halls) == 1


def test_studios_own_clock_says_which_day_it_is(shop: Shop, sit: Sit) -> None:
    shop.rows("INSERT INTO clock_offset (studio_id, offset_seconds) VALUES (:studio, 86400)")
    timeline = read(sit(shop, now=NOON), "")
    assert str(timeline.period.from_on) == "2026-11-22"
    assert timeline.as_of == NOON + timedelta(days=1)


@pytest.mark.parametrize("role", ["ops", "platform_admin"])
def test_who_has_nothing_to_do_with_bookings_sees_none(shop: Shop, sit: Sit, role: str) -> None:
    with pytest.raises(Problem) as caught:
        read(sit(shop, role))
    assert caught.value.status == 403


def test_page_of_a_hundred_halls_reads_by_an_index(shop: Shop, sit: Sit) -> None:
    """However long the past is: the plan is asked for, with rows enough to make a scan of them dear."""
    hall = build_hall(shop, "Large")
    _remember_years(shop, hall)
    desk = sit(shop, now=NOON)
    asked = {
        "studio_id": shop.studio_id,
        "hall_ids": [hall],
        "held": ["held"],
        "starts_at": NOON,
        "ends_at": NOON + timedelta(days=1),
        "limit": 100,
    }
    with desk.transaction() as connection:
        plan = connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS) {reading._TAKEN.text}"), asked).scalars()
        lines = "\n".join(plan)
    assert "Seq Scan on occupancy" not in lines, lines


def _remember_years(shop: Shop, hall: UUID) -> None:
    shop.rows(
        "INSERT INTO occupancy (id, studio_id, hall_id, kind, starts_at, ends_at, created_at)"
        " SELECT gen_random_uuid(), :studio, :hall, 'blackout', at, at + interval '1 hour', at"
        " FROM generate_series(CAST(:first AS timestamptz), :last, interval '2 hours') AS at",
        hall=hall,
        first=NOON - timedelta(days=1000),
        last=NOON + timedelta(days=30),
    )
    shop.rows("ANALYZE occupancy")
