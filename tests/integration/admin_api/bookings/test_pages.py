import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest
from httpx import Client

from admin_api.pages.guard import POLICY
from tests.integration.admin_api.bookings.rows import add_customer, book, build_hall, occupy
from tests.integration.admin_api.conftest import Office
from tests.integration.state_updater.shops import Shop

Browse = Callable[..., Client]

_ROW = re.compile(r'<tr role="row" data-hall="([^"]+)".*?</tr>', re.DOTALL)
_CELL = re.compile(
    r'<td role="gridcell" class="board-is-(\w+)" colspan="(\d+)" data-at="(\d+)">(.*?)</td>', re.DOTALL
)
_LINK = re.compile(r'href="([^"]*)"')
_LABEL = re.compile(r'aria-label="([^"]*)"')
# A Monday long from now, for the pages go by the world's clock: nothing of it is past.
FAR = datetime.now(tz=UTC) + timedelta(days=60)
MONDAY = FAR - timedelta(days=FAR.weekday(), hours=FAR.hour, minutes=FAR.minute)
MONDAY = MONDAY.replace(second=0, microsecond=0)
ON = MONDAY.date().isoformat()


def hour(number: float) -> datetime:
    """By the clock in Moscow, on that Monday."""
    return MONDAY + timedelta(hours=number - 3)


@pytest.fixture(scope="module")
def at_desk(open_office: Callable[[], Office]) -> Office:
    return open_office()


@pytest.fixture(scope="module")
def hall(at_desk: Office) -> UUID:
    return build_hall(at_desk.shop, "Large <b>")


@pytest.fixture(scope="module")
def booked(at_desk: Office, hall: UUID) -> dict[str, UUID]:
    shop = at_desk.shop
    anna = add_customer(shop, "Anna <i>")
    return {
        "confirmed": book(shop, hall, hour(12), 2, customer_id=anna, people=3),
        "held": book(
            shop, hall, hour(16), 1, "held", customer_id=anna, hold_expires_at=FAR - timedelta(days=50)
        ),
        "blackout": occupy(shop, hall, hour(18), hour(19), note="Tuning"),
    }


def cells_of(page: str, hall: UUID) -> list[tuple[str, int, int, str]]:
    """(kind, columns, first column, inside) of each cell of the hall's first row."""
    found = next(row[0] for row in _ROW.finditer(page) if row[1] == str(hall))
    return [(kind, int(columns), int(at), inside) for kind, columns, at, inside in _CELL.findall(found)]


def cell_of(page: str, hall: UUID, kind: str) -> str:
    return next(inside for found, _, _, inside in cells_of(page, hall) if found == kind)


def link_of(inside: str) -> str:
    found = _LINK.search(inside)
    assert found is not None, inside
    return unescape(found[1])


def test_row_is_a_row_of_cells_without_gaps(
    at_desk: Office, browse: Browse, hall: UUID, booked: dict[str, UUID]
) -> None:
    page = browse("manager", at_desk).get(f"/admin/board?on={ON}")
    assert page.status_code == 200
    cells = cells_of(page.text, hall)
    column = 0
    for _, columns, at, _ in cells:
        assert at == column
        column += columns
    # From ten to ten, a quarter of an hour each.
    assert column == 48
    assert [kind for kind, *_ in cells].count("free") == 16
    assert {"confirmed", "held", "blackout"} <= {kind for kind, *_ in cells}


def test_everything_is_a_link_without_a_script(
    at_desk: Office, browse: Browse, hall: UUID, booked: dict[str, UUID]
) -> None:
    manager = browse("manager", at_desk)
    page = manager.get(f"/admin/board?on={ON}").text
    assert link_of(cell_of(page, hall, "confirmed")) == f"/admin/bookings/details/{booked['confirmed']}"
    assert link_of(cell_of(page, hall, "blackout")) == f"/admin/do/unblock_hall/{booked['blackout']}"
    form = manager.get(link_of(cell_of(page, hall, "free")))
    assert form.status_code == 200
    assert f'value="{ON} 10:00"' in form.text
    assert f'value="{ON} 11:00"' in form.text, "as long as the shortest visit"
    assert f'<option value="{hall}" selected' in form.text
    for path in _LINK.findall(page):
        if path.startswith("/admin/board"):
            assert manager.get(unescape(path)).status_code == 200, path


def test_label_says_all_that_color_and_place_say(
    at_desk: Office, browse: Browse, hall: UUID, booked: dict[str, UUID]
) -> None:
    page = browse("manager", at_desk).get(f"/admin/board?on={ON}").text
    labels = [unescape(label) for label in _LABEL.findall(page)]
    assert "Large <b>, 12:00–14:00: Anna <i>, confirmed, 3 people" in labels
    (held,) = [label for label in labels if label.startswith("Large <b>, 16:00–17:00")]
    assert re.fullmatch(r".+: Anna <i>, held until .+, 4 people", held)
    assert "Large <b>, 18:00–19:00: closed, Tuning" in labels
    assert "Large <b>, 10:00–10:30: free" in labels
    assert "<b>," not in page
    assert "<i>," not in page


def test_week_has_a_table_for_each_of_its_days(at_desk: Office, browse: Browse, hall: UUID) -> None:
    wednesday = (MONDAY + timedelta(days=2)).date().isoformat()
    page = browse("manager", at_desk).get(f"/admin/board?on={wednesday}&scale=week").text
    days = [(MONDAY + timedelta(days=number)).date().isoformat() for number in range(7)]
    assert re.findall(r'data-on="([^"]+)"', page) == days


def test_who_may_not_book_has_no_links_that_do(
    at_desk: Office, browse: Browse, hall: UUID, booked: dict[str, UUID]
) -> None:
    support = browse("support", at_desk).get(f"/admin/board?on={ON}").text
    assert 'data-book="' in support
    assert 'data-block="' not in support
    assert "unblock_hall" not in support


@pytest.mark.parametrize(
    "query", ["on=2026-13-45", "on=x", "scale=year", "on=1999-01-01", "on=9999-12-31", "on=%00"]
)
def test_what_the_address_cannot_mean_is_refused(at_desk: Office, browse: Browse, query: str) -> None:
    answer = browse("manager", at_desk).get(f"/admin/board?{query}")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "path", ["/admin/board", "/admin/board?scale=week", "/admin/today", "/admin/heat-map"]
)
def test_pages_hold_nothing_inline_or_from_elsewhere(
    at_desk: Office, browse: Browse, booked: dict[str, UUID], path: str
) -> None:
    page = browse("owner", at_desk).get(path)
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_what_has_begun_is_marked_from_todays_page(at_desk: Office, browse: Browse, hall: UUID) -> None:
    now = datetime.now(tz=UTC).replace(second=0, microsecond=0)
    booking = book(at_desk.shop, hall, now - timedelta(minutes=30))
    page = browse("support", at_desk).get("/admin/today").text
    for action in ("complete_booking", "mark_no_show"):
        assert f"/admin/do/{action}/{booking}" in page
    assert "No surcharge is open." in page


def test_heat_map_is_a_picture_and_a_table(at_desk: Office, browse: Browse, shop: Shop) -> None:
    manager = browse("manager", at_desk)
    hall = build_hall(
        at_desk.shop,
        "Round the clock",
        ({"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"},),
    )
    now = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    book(at_desk.shop, hall, now - timedelta(days=2), 2)
    page = manager.get(f"/admin/heat-map?hall_id={hall}&preset=7d")
    assert 'src="data:image/svg+xml;base64,' in page.text
    assert "100\u00a0% · 1" in page.text
    csv = re.search(r'href="(/admin/heat-map\.csv[^"]+)"', page.text)
    assert csv is not None
    sheet = manager.get(unescape(csv[1]))
    assert sheet.headers["content-type"].startswith("text/csv")
    assert ",60,60,100,1" in sheet.text
    assert "No bookings in these days" in manager.get("/admin/heat-map?from=2020-01-01&to=2020-01-31").text
    assert manager.get("/admin/heat-map?hall_id=x").status_code == 422
    assert "heat-map.csv" not in browse("support", at_desk).get("/admin/heat-map").text


def test_json_says_what_the_pages_show(
    at_desk: Office, sign_in: Callable[..., Client], hall: UUID, booked: dict[str, UUID]
) -> None:
    api = sign_in("support", at_desk)
    timeline = api.get("/timeline", params={"from": ON, "days": 7}).json()
    (shown,) = [each for each in timeline["halls"] if each["hall_id"] == str(hall)]
    assert [one["booking_id"] for one in shown["taken"] if one["state"] == "confirmed"] == [
        str(booked["confirmed"])
    ]
    assert len(shown["open"]) == 7
    assert api.get("/timeline", params={"days": 32}).status_code == 422
    assert api.get("/today").json()["limit"] > 0
    assert len(api.get("/heat-map", params={"preset": "7d"}).json()["cells"]) == 168
    assert api.get("/heat-map.csv").status_code == 403
