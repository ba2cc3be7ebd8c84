"""The pictures: what is in them, and what never is."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID
from xml.etree import ElementTree

import pytest

from admin_api.dashboards import theme
from admin_api.dashboards.drawing import Drawing, Series, Size, draw, round_steps
from admin_api.dashboards.pictures import (
    declines_drawing,
    funnel_drawing,
    invoices_drawing,
    payments_drawing,
    revenue_drawing,
    subscriptions_drawing,
)
from admin_api.dashboards.views import (
    DeclineReason,
    FunnelStep,
    InvoicesInState,
    RevenueDay,
    StudioPaymentsDay,
    SubscriptionsDay,
)

SCRIPT = "<script>alert(1)</script>"
FIRST = date(2026, 1, 1)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def revenue(count: int, currency: str = "RUB") -> list[RevenueDay]:
    return [
        RevenueDay(on=on, currency=currency, received_minor=150_000, refunded_minor=50_000, net_minor=100_000)
        for on in days(count)
    ]


def payments(*names: str) -> list[StudioPaymentsDay]:
    return [
        StudioPaymentsDay(
            on=FIRST, studio_id=UUID(int=number), studio=name, currency="RUB", count=1,
            received_minor=1_000 * number,
        )
        for number, name in enumerate(names, 1)
    ]  # fmt: skip


DRAWINGS = [
    revenue_drawing(revenue(30), "RUB", "ru"),
    subscriptions_drawing([SubscriptionsDay(on=FIRST, started=3, canceled=1)], "en"),
    invoices_drawing([InvoicesInState(state="paid", count=7), InvoicesInState(state="void", count=1)], "ru"),
    funnel_drawing([FunnelStep(step="started", count=9), FunnelStep(step="declined", count=2)], "en"),
    declines_drawing([DeclineReason(category="hard", code=SCRIPT, count=2)], "ru"),
    payments_drawing(payments(SCRIPT, "Анна & Ко"), days(7), "RUB", "en"),
    declines_drawing([], "ru"),
]


def bars(drawing: Drawing, size: Size = "wide") -> list[ElementTree.Element]:
    root = ElementTree.fromstring(draw(drawing, size))  # noqa: S314  # our own picture
    return [one for one in root.iter() if one.get("class", "").startswith("rect")]


def words(drawing: Drawing) -> Sequence[str]:
    root = ElementTree.fromstring(draw(drawing, "wide"))  # noqa: S314
    return [one.text or "" for one in root.iter() if one.tag.endswith("text")]


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.title)
def test_picture_runs_nothing_and_points_nowhere(drawing: Drawing, size: Size) -> None:
    picture = draw(drawing, size).decode()
    for forbidden in ("<script", "<style", "style=", "href", "<!--", "url(", "<foreignObject", "onload"):
        assert forbidden not in picture
    assert re.findall(r"https?:[^\"]*", picture) == ["http://www.w3.org/2000/svg"]


def test_what_people_wrote_is_text() -> None:
    assert SCRIPT in words(DRAWINGS[4])
    assert SCRIPT in words(DRAWINGS[5])
    assert "Анна & Ко" in words(DRAWINGS[5])


def test_states_have_their_color() -> None:
    for drawing, colors in (
        (DRAWINGS[2], [theme.GREEN, theme.DARK]),
        (DRAWINGS[3], [theme.GREY, theme.ORANGE]),
    ):
        root = ElementTree.fromstring(draw(drawing, "wide"))  # noqa: S314
        groups = [one for one in root.iter() if one.get("class") == "bar"]
        assert [one.get("fill") for one in reversed(groups)] == colors


def test_a_month_is_drawn_by_days_and_a_year_by_weeks() -> None:
    assert len(revenue_drawing(revenue(30), "RUB", "ru").labels) == 30
    year = revenue_drawing(revenue(365), "RUB", "ru")
    assert len(year.labels) == 53
    assert sum(year.series[0].values) == 365 * 150_000
    assert sum(year.series[1].values) == -365 * 50_000


def test_currencies_are_drawn_apart() -> None:
    rows = revenue(3) + revenue(2, "USD")
    assert sum(revenue_drawing(rows, "USD", "en").series[0].values) == 2 * 150_000
    assert sum(revenue_drawing(rows, "RUB", "en").series[0].values) == 3 * 150_000


def test_studios_of_one_name_stay_two_and_the_smallest_share_a_color() -> None:
    twins = payments_drawing(payments("Twin", "Twin"), days(1), "RUB", "en")
    assert [series.values for series in twins.series] == [[2_000], [1_000]]
    many = payments_drawing(payments(*"ABCDEFGHI"), days(1), "RUB", "en")
    assert len(many.series) == len(theme.SERIES_COLORS) + 1
    assert many.series[-1].values == [1_000 + 2_000 + 3_000]
    assert sum(sum(series.values) for series in many.series) == sum(range(1, 10)) * 1_000


def test_numbers_stand_behind_their_bars() -> None:
    assert [word for word in words(DRAWINGS[2]) if word.isdigit()] == ["1", "7"]
    assert len(bars(DRAWINGS[2])) == 2


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [
        (0, 3, [0, 1, 2, 3]),
        (-1, 3, [-1, 0, 1, 2, 3]),
        (0, 0, [0, 1]),
        (-180_000, 1_190_000, [0, 500_000, 1_000_000, 1_500_000]),
        (-400, 0, [-400, -300, -200, -100, 0]),
    ],
)
def test_lines_of_the_grid_are_round_numbers(low: float, high: float, steps: list[int]) -> None:
    assert round_steps(low, high)[: len(steps)] == steps


def test_a_picture_of_nothing_is_still_a_picture() -> None:
    flat = Drawing("Nothing", ["a"], [Series("none", theme.GREY, [0])], str)
    assert draw(flat, "narrow").startswith(b"<svg")
