from xml.etree import ElementTree

import pytest

from admin_api.dashboards.drawing import Size
from admin_api.dashboards.heat import HOURS, WEEKDAYS, HeatCell
from admin_api.dashboards.heat_picture import SHADES, Words, draw_heat, heat_height, hours_shown, shade_of

_SVG = "{http://www.w3.org/2000/svg}"
WORDS = Words("Full", {day: f"d{day}" for day in WEEKDAYS}, str)


def cells(**busy: int) -> list[HeatCell]:
    """Open from 10 to 12 on every day; `d1h10=50` is half full."""
    return [
        HeatCell(
            weekday=day,
            hour=hour,
            open_minutes=60 if 10 <= hour < 12 else 0,
            taken_minutes=0,
            share_percent=busy.get(f"d{day}h{hour}", 0) if 10 <= hour < 12 else None,
            count=1 if f"d{day}h{hour}" in busy else 0,
        )
        for day in WEEKDAYS
        for hour in HOURS
    ]


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_each_hour_of_the_week_is_a_rectangle_with_its_share(size: Size) -> None:
    root = ElementTree.fromstring(draw_heat(cells(d1h10=50, d7h11=100), WORDS, size))  # noqa: S314  # our own
    assert len(root.findall(f"{_SVG}rect")) == 14
    written = [one.text for one in root.findall(f"{_SVG}text")]
    assert {"50", "100", "d1", "d7", "10", "11"} <= set(written)
    assert root.get("viewBox", "").endswith(f" {heat_height(cells(), size)}")


def test_fuller_is_darker() -> None:
    assert [shade_of(share) for share in (0, 1, 25, 26, 75, 76, 100)] == [0, 1, 1, 2, 3, 4, 4]
    assert shade_of(100) == len(SHADES) - 1


def test_hours_reach_to_who_comes_outside_of_them() -> None:
    assert hours_shown(cells()) == range(10, 12)
    assert hours_shown(cells(d3h8=100)) == range(8, 12)
    root = ElementTree.fromstring(draw_heat(cells(d3h8=100), WORDS, "wide"))  # noqa: S314
    assert "•" in [one.text for one in root.findall(f"{_SVG}text")]


def test_picture_has_nothing_that_acts_or_points_elsewhere() -> None:
    picture = draw_heat(
        cells(d1h10=50), Words("<script>", dict.fromkeys(WEEKDAYS, "&"), str), "wide"
    ).decode()
    assert "<script" not in picture
    assert "href" not in picture
    assert "style" not in picture
