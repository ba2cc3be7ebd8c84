from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from admin_api.bookings.days import midnight, within
from admin_api.bookings.laying import Sheet, aligned, lay_out, sheet_of
from admin_api.bookings.views import Taken
from booking.rules.calendar import Span
from kit.ids import new_id

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 21)
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = (15,)


def at(hour: int, minute: int = 0, on: date = DAY) -> datetime:
    """By the elapsed time from midnight, so that every hour of every day can be named."""
    return midnight(on, BERLIN) + timedelta(hours=hour, minutes=minute)


def day(on: date = DAY) -> Span:
    return Span(midnight(on, BERLIN), midnight(on + timedelta(days=1), BERLIN))


def taken(starts_at: datetime, ends_at: datetime, kind: str = "booking") -> Taken:
    is_booking = kind in ("booking", "hold")
    return Taken.model_validate(
        {
            "occupancy_id": new_id(),
            "kind": kind,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "note": "",
            "booking_id": new_id() if is_booking else None,
            "state": "confirmed" if is_booking else None,
            "visit_starts_at": starts_at,
            "visit_ends_at": ends_at,
            "customer_id": None,
            "customer": None,
            "people": None,
            "hold_expires_at": None,
        }
    )


def shape(cells: object) -> list[tuple[str, int]]:
    assert isinstance(cells, list)
    return [(cell.kind, cell.columns) for cell in cells]


def test_day_is_drawn_from_the_first_opening_to_the_last_visit() -> None:
    sheet = sheet_of(day(), [Span(at(10, 30), at(20))], [taken(at(19), at(21, 30))], STEPS)
    assert sheet.span == Span(at(10), at(22))
    assert sheet.columns == 48


def test_closed_time_that_nobody_visits_does_not_stretch_the_day() -> None:
    closed_all_day = taken(at(0), at(24), "blackout")
    assert sheet_of(day(), [Span(at(10), at(20))], [closed_all_day], STEPS).span == Span(at(10), at(20))


def test_day_without_anything_has_working_hours() -> None:
    assert sheet_of(day(), [], [], ()).span == Span(at(9), at(21))


@pytest.mark.parametrize(
    ("ends_minute", "step", "unit"),
    [(0, 30, 30), (0, 60, 30), (15, 30, 15), (10, 30, 10), (5, 15, 5), (7, 15, 5)],
)
def test_column_is_as_fine_as_the_finest_edge(ends_minute: int, step: int, unit: int) -> None:
    sheet = sheet_of(day(), [Span(at(10), at(20))], [taken(at(12), at(13, ends_minute))], [step])
    assert sheet.unit_minutes == unit


def test_row_has_closed_past_free_and_taken_time_side_by_side() -> None:
    sheet = Sheet(Span(at(9), at(14)), 15)
    cells = lay_out(sheet, [Span(at(10), at(14))], [taken(at(12), at(13))], at(11), 60)
    assert shape(cells) == [("closed", 4), ("past", 4), ("free", 4), ("taken", 4), ("free", 4)]
    assert [cell.span for cell in cells][2] == Span(at(11), at(12))


def test_free_time_is_cut_at_full_half_hours() -> None:
    sheet = Sheet(Span(at(10), at(12)), 15)
    cells = lay_out(sheet, [sheet.span], [taken(at(10), at(10, 45))], BEFORE, 30)
    assert shape(cells) == [("taken", 3), ("free", 1), ("free", 2), ("free", 2)]
    assert shape(lay_out(sheet, [sheet.span], [], BEFORE, None)) == [("free", 8)]


def test_what_reaches_in_from_the_day_before_is_drawn_from_midnight() -> None:
    sheet = Sheet(day(), 30)
    cells = lay_out(sheet, [], [taken(at(-2), at(1))], BEFORE, 30)
    assert shape(cells) == [("taken", 2), ("closed", 46)]


def test_two_that_meet_between_columns_do_not_overlap() -> None:
    sheet = Sheet(Span(at(10), at(11)), 5)
    cells = lay_out(
        sheet,
        [],
        [taken(at(10), at(10, 7)), taken(at(10, 7), at(10, 8)), taken(at(10, 8), at(11))],
        BEFORE,
        30,
    )
    assert shape(cells) == [("taken", 1), ("taken", 1), ("taken", 10)]


@pytest.mark.parametrize(("on", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_day_on_which_the_clock_changes_has_its_own_number_of_hours(on: date, hours: int) -> None:
    window = day(on)
    sheet = sheet_of(window, [window], [], STEPS)
    assert len(sheet.heads()) == hours
    assert sum(head.columns for head in sheet.heads()) == sheet.columns == hours * 4
    local = [head.starts_at.astimezone(BERLIN).hour for head in sheet.heads()]
    assert local.count(2) == hours - 23, "an hour that is skipped is not there, one that comes twice is twice"


def test_every_row_fills_the_sheet() -> None:
    sheet = sheet_of(day(), [Span(at(10), at(22))], [taken(at(11, 5), at(12, 50))], STEPS)
    for now in (BEFORE, at(12), at(23)):
        cells = lay_out(sheet, [Span(at(10), at(22))], [taken(at(11, 5), at(12, 50))], now, 30)
        assert sum(cell.columns for cell in cells) == sheet.columns


def test_present_is_a_share_of_the_sheet_and_nowhere_outside() -> None:
    sheet = Sheet(Span(at(10), at(20)), 30)
    assert sheet.now_mark(at(15)) == 500
    assert sheet.now_mark(at(9, 59)) is None
    assert sheet.now_mark(at(20)) is None


def test_days_of_a_week_are_drawn_from_and_to_the_same_hours() -> None:
    days = [day(), day(DAY + timedelta(days=1))]
    sheets = [Sheet(Span(at(10), at(20)), 30), Sheet(Span(at(36), at(47)), 15)]
    drawn = aligned(days, sheets)
    assert [sheet.span for sheet in drawn] == [Span(at(10), at(23)), Span(at(34), at(47))]
    assert {sheet.unit_minutes for sheet in drawn} == {15}


def test_only_what_is_in_the_window_is_kept() -> None:
    window = Span(at(10), at(12))
    spans = [Span(at(8), at(10)), Span(at(9), at(11)), Span(at(11, 30), at(13)), Span(at(12), at(13))]
    assert within(spans, window) == [Span(at(10), at(11)), Span(at(11, 30), at(12))]
