"""A hall is open by the studio's own clock, on each date by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from booking.rules.calendar import HallRules, Span, open_spans, read_hours

EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
RULES = HallRules("UTC", (), 15, 60, 720, 0, 0, 0, 90)


def _hours(opens: str, closes: str, **others: object) -> dict[str, object]:
    return {"weekdays": EVERY_DAY, "opens": opens, "closes": closes, **others}


def _open(timezone: str, rules: object, first: str, last: str) -> list[tuple[str, str]]:
    """Open time from the first instant given to the second, in UTC."""
    hall = replace(RULES, timezone=timezone, hours=read_hours(rules))
    window = Span(datetime.fromisoformat(f"{first}+00:00"), datetime.fromisoformat(f"{last}+00:00"))
    return [
        (f"{span.starts_at:%Y-%m-%dT%H:%M}", f"{span.ends_at:%Y-%m-%dT%H:%M}")
        for span in open_spans(hall, window)
    ]


def test_no_hours_are_never_open() -> None:
    assert read_hours([]) == ()
    assert _open("UTC", [], "2026-01-01", "2026-12-31") == []


def test_a_hall_is_open_by_the_studios_clock_not_by_utc() -> None:
    assert _open("Asia/Kolkata", [_hours("10:00", "12:00")], "2026-11-21", "2026-11-22") == [
        ("2026-11-21T04:30", "2026-11-21T06:30")
    ]


def test_hours_until_midnight_go_on_in_the_next_dates() -> None:
    rules = [_hours("00:00", "02:00"), _hours("18:00", "24:00")]
    assert _open("UTC", rules, "2026-11-21T12:00", "2026-11-22T12:00") == [
        ("2026-11-21T18:00", "2026-11-22T02:00")
    ]


def test_a_hall_that_never_closes_is_open_all_the_window() -> None:
    rules = [_hours("00:00", "24:00")]
    assert _open("Europe/Berlin", rules, "2026-10-01T07:07", "2026-11-30T03:03") == [
        ("2026-10-01T07:07", "2026-11-30T03:03")
    ]


def test_rules_that_overlap_are_one_opening() -> None:
    rules = [_hours("12:00", "18:00"), _hours("09:00", "20:00"), _hours("20:00", "21:00")]
    assert _open("UTC", rules, "2026-11-21", "2026-11-22") == [("2026-11-21T09:00", "2026-11-21T21:00")]


def test_a_season_takes_the_place_of_the_usual_hours_even_on_weekdays_it_is_closed() -> None:
    season = {
        "weekdays": [6],
        "opens": "10:00",
        "closes": "11:00",
        "from": "2026-11-21",
        "until": "2026-11-22",
    }
    rules = [_hours("09:00", "18:00"), season]
    # Friday as usual, Saturday by the season, Sunday closed by it, Monday as usual.
    assert _open("UTC", rules, "2026-11-20", "2026-11-24") == [
        ("2026-11-20T09:00", "2026-11-20T18:00"),
        ("2026-11-21T10:00", "2026-11-21T11:00"),
        ("2026-11-23T09:00", "2026-11-23T18:00"),
    ]


def test_a_season_without_an_end_lasts() -> None:
    rules = [_hours("09:00", "18:00"), _hours("10:00", "11:00", **{"from": "2026-11-21"})]
    assert _open("UTC", rules, "2030-01-01", "2030-01-02") == [("2030-01-01T10:00", "2030-01-01T11:00")]


@pytest.mark.parametrize(
    ("timezone", "opens", "closes", "day", "expected"),
    [
        # 02:00 to 03:00 is skipped at 01:00 UTC.
        ("Europe/Berlin", "00:00", "06:00", "2026-03-29", ("2026-03-28T23:00", "2026-03-29T04:00")),
        ("Europe/Berlin", "02:30", "06:00", "2026-03-29", ("2026-03-29T01:00", "2026-03-29T04:00")),
        ("Europe/Berlin", "00:00", "02:30", "2026-03-29", ("2026-03-28T23:00", "2026-03-29T01:00")),
        ("Europe/Berlin", "02:00", "03:00", "2026-03-29", None),
        # 02:00 to 03:00 is there twice, from 00:00 UTC and from 01:00 UTC.
        ("Europe/Berlin", "00:00", "06:00", "2026-10-25", ("2026-10-24T22:00", "2026-10-25T05:00")),
        ("Europe/Berlin", "02:30", "06:00", "2026-10-25", ("2026-10-25T00:30", "2026-10-25T05:00")),
        ("Europe/Berlin", "00:00", "02:30", "2026-10-25", ("2026-10-24T22:00", "2026-10-25T01:30")),
        ("Europe/Berlin", "00:00", "02:00", "2026-10-25", ("2026-10-24T22:00", "2026-10-25T00:00")),
        ("Europe/Berlin", "02:00", "03:00", "2026-10-25", ("2026-10-25T00:00", "2026-10-25T02:00")),
        # Half an hour, at 02:00: forward at 15:30 UTC, back to 01:30 at 15:00 UTC.
        ("Australia/Lord_Howe", "02:10", "03:00", "2026-10-04", ("2026-10-03T15:30", "2026-10-03T16:00")),
        ("Australia/Lord_Howe", "01:30", "02:00", "2026-04-05", ("2026-04-04T14:30", "2026-04-04T15:30")),
        # The date begins at 01:00; the one before is an hour longer.
        ("America/Sao_Paulo", "00:00", "02:00", "2018-11-04", ("2018-11-04T03:00", "2018-11-04T04:00")),
        ("America/Sao_Paulo", "22:00", "24:00", "2018-02-17", ("2018-02-18T00:00", "2018-02-18T03:00")),
        # 00:00 to 01:00 twice belongs to the date that begins, not to the one that ends.
        ("America/Havana", "00:00", "01:00", "2026-11-01", ("2026-11-01T04:00", "2026-11-01T06:00")),
        ("America/Havana", "22:00", "24:00", "2026-10-31", ("2026-11-01T02:00", "2026-11-01T04:00")),
        ("Pacific/Apia", "09:00", "18:00", "2011-12-30", None),
        ("Europe/Moscow", "00:00", "24:00", "2026-03-29", ("2026-03-28T21:00", "2026-03-29T21:00")),
    ],
)
def test_clocks_that_change_shorten_and_lengthen_a_date(
    timezone: str, opens: str, closes: str, day: str, expected: tuple[str, str] | None
) -> None:
    rules = [_hours(opens, closes, **{"from": day, "until": day})]
    first, last = date.fromisoformat(day) - timedelta(days=2), date.fromisoformat(day) + timedelta(days=3)
    assert _open(timezone, rules, str(first), str(last)) == ([expected] if expected else [])


def test_a_clock_put_back_across_midnight_leaves_no_hole_at_the_edge_of_a_window() -> None:
    """At 00:01 it was 23:01 of Saturday once more: both dates are there on either side of the change."""
    saturday = [{"weekdays": [6], "opens": "23:30", "closes": "24:00"}]
    assert _open("America/St_Johns", saturday, "2006-10-29T02:30", "2006-10-29T06:00") == [
        ("2006-10-29T02:30", "2006-10-29T03:30")
    ]
    sunday = [{"weekdays": [7], "opens": "00:00", "closes": "24:00"}]
    assert _open("America/St_Johns", sunday, "2006-10-29T02:00", "2006-10-29T03:00") == [
        ("2006-10-29T02:30", "2006-10-29T03:00")
    ]


def test_an_empty_or_inverted_window_is_not_open() -> None:
    rules = [_hours("00:00", "24:00")]
    assert _open("UTC", rules, "2026-11-21T12:00", "2026-11-21T12:00") == []
    assert _open("UTC", rules, "2026-11-21T12:00", "2026-11-21T11:00") == []


def test_a_window_without_end_is_refused() -> None:
    hall = replace(RULES, hours=read_hours([_hours("00:00", "24:00")]))
    with pytest.raises(ValueError, match="more than 800 dates"):
        open_spans(hall, Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)))
