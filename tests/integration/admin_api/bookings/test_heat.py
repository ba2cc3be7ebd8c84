from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from admin_api.dashboards.export import export_heat
from admin_api.dashboards.heat import DAYS_LIMIT, HeatCell, HeatMap, read_heat
from admin_api.dashboards.periods import period_of
from admin_api.desk import Desk
from kit.ids import new_id
from tests.integration.admin_api.bookings.rows import book, build_hall
from tests.integration.state_updater.shops import Shop
from web.problems import Problem

Sit = Callable[..., Desk]

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
# The week from Monday the 16th.
WEEK = ("2026-11-16", "2026-11-22")


def read(desk: Desk, first: str = WEEK[0], last: str = WEEK[1], **more: object) -> HeatMap:
    return read_heat(desk, period_of(desk, first, last), **more)  # type: ignore[arg-type]


def on_monday(hour: float) -> datetime:
    """By the clock in Moscow."""
    return datetime(2026, 11, 15, 21, tzinfo=UTC) + timedelta(hours=hour)


def cell(heat: HeatMap, weekday: int, hour: int) -> HeatCell:
    (found,) = [one for one in heat.cells if (one.weekday, one.hour) == (weekday, hour)]
    return found


def test_share_is_of_the_open_time_of_all_halls(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    hall, other = build_hall(shop, "Large"), build_hall(shop, "Small")
    book(shop, hall, on_monday(10.5), 1)
    book(shop, other, on_monday(11), 2, "completed")
    book(other_shop, build_hall(other_shop, "Theirs"), on_monday(10), 4)
    for number, state in enumerate(("held", "awaiting_payment", "canceled", "expired")):
        book(shop, hall, on_monday(14 + number), 1, state)

    heat = read(sit(shop, now=NOON))

    ten, eleven, twelve = (cell(heat, 1, hour) for hour in (10, 11, 12))
    assert (ten.open_minutes, ten.taken_minutes, ten.share_percent, ten.count) == (120, 30, 25, 1)
    assert (eleven.taken_minutes, eleven.share_percent, eleven.count) == (90, 75, 2)
    assert (twelve.taken_minutes, twelve.share_percent) == (60, 50)
    assert sum(one.taken_minutes for one in heat.cells) == 180
    assert cell(heat, 1, 9).share_percent is None
    assert len(heat.cells) == 7 * 24


def test_one_hall_may_be_asked_for(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    hall, other = build_hall(shop, "Large"), build_hall(shop, "Small")
    book(shop, hall, on_monday(10))
    desk = sit(shop, now=NOON)
    assert cell(read(desk, hall_id=hall), 1, 10).share_percent == 100
    assert cell(read(desk, hall_id=other), 1, 10).share_percent == 0
    for foreign in (build_hall(other_shop, "Theirs"), new_id()):
        with pytest.raises(Problem) as caught:
            read(desk, hall_id=foreign)
        assert caught.value.status == 404


def test_visits_are_cut_at_the_ends_of_the_period(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    book(shop, hall, on_monday(-2), 4)
    book(shop, hall, on_monday(7 * 24 - 1), 3)
    heat = read(sit(shop, now=NOON))
    taken = {(one.weekday, one.hour): one.taken_minutes for one in heat.cells if one.taken_minutes}
    assert taken == {(1, 0): 60, (1, 1): 60, (7, 23): 60}


def test_hour_that_comes_twice_is_twice_as_long(shop: Shop, sit: Sit) -> None:
    shop.rows("UPDATE studio SET timezone = 'Europe/Berlin' WHERE id = :studio")
    hall = build_hall(shop, "Large", ({"weekdays": [7], "opens": "00:00", "closes": "24:00"},))
    # From 02:00 in summer time to 02:30 in winter time.
    book(shop, hall, datetime(2026, 10, 25, 0, tzinfo=UTC), 1.5)
    heat = read(sit(shop, now=NOON), "2026-10-25", "2026-10-25")
    two = cell(heat, 7, 2)
    assert (two.open_minutes, two.taken_minutes, two.share_percent) == (120, 90, 75)
    skipped = read(sit(shop, now=NOON), "2026-03-29", "2026-03-29")
    assert cell(skipped, 7, 2).open_minutes == 0
    assert cell(skipped, 7, 3).open_minutes == 60


def test_no_hour_is_more_than_full(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large", ({"weekdays": [1], "opens": "10:30", "closes": "11:00"},))
    book(shop, hall, on_monday(10))
    assert cell(read(sit(shop, now=NOON)), 1, 10).share_percent == 100


def test_period_has_its_limit(shop: Shop, sit: Sit) -> None:
    desk = sit(shop, now=NOON)
    first = (NOON - timedelta(days=DAYS_LIMIT)).date().isoformat()
    with pytest.raises(Problem) as caught:
        read(desk, first, "2026-11-21")
    assert caught.value.status == 422


def test_csv_has_every_hour_and_is_audited(shop: Shop, sit: Sit) -> None:
    hall = build_hall(shop, "Large")
    book(shop, hall, on_monday(10))
    desk = sit(shop, now=NOON)
    lines = export_heat(desk, period_of(desk, *WEEK), hall).splitlines()
    assert lines[0].endswith("weekday,hour,open_minutes,taken_minutes,share_percent,count")
    assert "1,10,60,60,100,1" in lines
    assert "1,9,0,0,,0" in lines
    facts = shop.one("SELECT facts FROM audit WHERE studio_id = :studio AND action = 'export'")
    assert facts["chart"] == "bookings_by_hour"
    assert facts["hall_id"] == str(hall)
    with pytest.raises(Problem) as caught:
        export_heat(sit(shop, "support", NOON), period_of(desk, *WEEK))
    assert caught.value.status == 403
