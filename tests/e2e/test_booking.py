"""A hall is booked in a real browser, on a telephone's width, on the stack that `./run` starts.

With `--pictures DIR` the page is photographed there: the README's pictures come from here.
"""

import re
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import ANSWER_MS_MAX, NARROW, Town

# The first test may have to install the browser.
pytestmark = pytest.mark.timeout(900)

API = "/api/v1"
HALL = "Большой зал"
# Of the fortnight that is shown: always a week ahead, and each test has one of its own.
PAID_DAY, TAKEN_DAY, LOST_DAY, OLD_DAY = 7, 8, 9, 10
# Past any hold.
LATE_SECONDS = 1_000


def test_hall_is_booked_from_the_choice_to_the_paid_booking_on_a_narrow_screen(
    page: Page, town: Town, photograph: Callable[[Page, str], None]
) -> None:
    _choose(page, town, PAID_DAY)
    page.locator("#extras select").first.select_option("1")
    _sign_in(page)
    expect(page.locator("#lines .total")).to_contain_text("RUB")
    expect(page.locator("#lines")).to_contain_text("100% goes back")
    page.evaluate("document.getElementById('days').scrollIntoView()")
    expect(page.locator("#bar")).to_contain_text("RUB")
    photograph(page, "book")
    page.locator("#hold").click()
    _see_countdown(page)
    photograph(page, "hold")
    page.reload()
    _see_countdown(page)
    page.get_by_role("button", name="Pay").click()
    page.locator("#pay").click()
    page.locator("form[action$='/pay'] button").click()
    page.locator("a.button.main").click()
    expect(page.locator(".phase-paid")).to_be_visible(timeout=ANSWER_MS_MAX)
    page.get_by_role("link", name="Your booking").click()
    expect(page.locator("#state")).to_have_text("It is confirmed", timeout=ANSWER_MS_MAX)
    expect(page.locator("#left")).to_be_hidden()
    page.get_by_role("button", name="Cancel the booking").click()
    expect(page.locator("#sure")).to_contain_text("All of it goes back")
    page.get_by_role("button", name="Keep it").click()
    _fits(page)
    _move_a_quarter_later(page)


def test_taken_slot_offers_others_and_one_of_them_is_held(page: Page, town: Town) -> None:
    _choose(page, town, TAKEN_DAY)
    _sign_in(page)
    expect(page.locator("#hold")).to_be_visible(timeout=ANSWER_MS_MAX)
    _book_before(town, page.locator("[name=at]:checked"))
    page.locator("#hold").click()
    others = page.locator("#alternatives button")
    expect(others.first).to_be_visible(timeout=ANSWER_MS_MAX)
    expect(page.locator("#message")).to_contain_text("Somebody has just taken this time")
    hours = others.first.inner_text().split(", ")[-1]
    others.first.click()
    expect(page.locator("#chosen")).to_contain_text(hours)
    expect(page.locator("#chosen")).to_be_focused()
    page.locator("#hold").click()
    _see_countdown(page)
    expect(page.locator("#when")).to_contain_text(hours)


def test_hold_that_ran_out_says_so_and_leads_back_to_the_choice(page: Page, town: Town) -> None:
    _choose(page, town, LOST_DAY)
    _sign_in(page)
    page.locator("#hold").click()
    _see_countdown(page)
    town.go_ahead(LATE_SECONDS)
    page.reload()
    expect(page.locator("#state")).to_contain_text("The time to pay ran out", timeout=ANSWER_MS_MAX)
    page.get_by_role("link", name="Choose a time again").click()
    expect(page.locator("label.time").first).to_be_visible()
    town.go_ahead(0)


def test_price_that_is_too_old_is_worked_out_again_and_says_so(page: Page, town: Town) -> None:
    _choose(page, town, OLD_DAY)
    _sign_in(page)
    expect(page.locator("#hold")).to_be_visible(timeout=ANSWER_MS_MAX)
    town.go_ahead(LATE_SECONDS)
    page.locator("#hold").click()
    expect(page.locator("#message")).to_contain_text("has been worked out again", timeout=ANSWER_MS_MAX)
    expect(page.locator("#lines .total")).to_be_visible(timeout=ANSWER_MS_MAX)
    expect(page.locator("#message")).to_contain_text("has been worked out again")
    page.locator("#hold").click()
    expect(page.locator("#where")).to_contain_text(HALL, timeout=ANSWER_MS_MAX)
    page.go_back()
    expect(page.locator("#held")).to_contain_text(HALL, timeout=ANSWER_MS_MAX)
    expect(page.locator("#cost")).to_be_hidden()
    town.go_ahead(0)


def _move_a_quarter_later(page: Page) -> None:
    """Its own day is shown, and its own time is free for it."""
    was = page.locator("#when").inner_text()
    page.get_by_role("link", name="Move", exact=True).click()
    expect(page.locator("#moving")).to_contain_text(was, timeout=ANSWER_MS_MAX)
    expect(page.locator("label.day").nth(PAID_DAY).locator("input")).to_be_checked()
    page.locator("label.time").nth(1).click()
    expect(page.locator("#lines")).to_contain_text("The price stays the same", timeout=ANSWER_MS_MAX)
    page.locator("#hold").click()
    expect(page.locator("#state")).to_have_text("It is confirmed", timeout=ANSWER_MS_MAX)
    expect(page.locator("#when")).not_to_have_text(was)
    _fits(page)


def _choose(page: Page, town: Town, day: int) -> None:
    """By keyboard where a list is long: a hall, two hours, a day, the first time of it."""
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.goto(town.client_url)
    page.get_by_role("link", name="Book a hall").click()
    page.locator("label", has_text=HALL).click()
    page.locator("[name=minutes]").select_option("120")
    page.locator("label.day").nth(day).click()
    page.locator("[name=at]").first.focus()
    page.keyboard.press("Space")
    _fits(page)
    page.locator("#bar").click()


def _sign_in(page: Page) -> None:
    page.locator("[name=email]").fill(f"{uuid4().hex}@example.org")
    page.locator("[name=password]").fill("correct horse battery")
    page.get_by_role("button", name="Register").click()


def _see_countdown(page: Page) -> None:
    expect(page.locator("#left")).to_have_text(re.compile(r"1[345]:\d\d"), timeout=ANSWER_MS_MAX)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def _book_before(town: Town, chosen: Locator) -> None:
    """Somebody else holds what is chosen."""
    starts_at = str(chosen.get_attribute("value"))
    with httpx.Client(base_url=f"{town.client_url}{API}", timeout=ANSWER_MS_MAX / 1000) as other:
        person = {"email": f"{uuid4().hex}@example.org", "password": "correct horse battery", "name": "Вера"}
        tokens = other.post("/auth/register", json=person).raise_for_status().json()
        other.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        hall = next(one for one in other.get("/halls").json()["items"] if one["name"] == HALL)
        hour = int(starts_at[11:13])
        ends_at = f"{starts_at[:11]}{hour + 2:02}{starts_at[13:]}"
        slot = {"hall_id": hall["id"], "starts_at": starts_at, "ends_at": ends_at, "people": 2}
        quote = other.post("/quotes", json=slot).raise_for_status().json()
        other.post(
            "/bookings", json={"quote": quote["quote"]}, headers={"Prefer": "wait=10"}
        ).raise_for_status()
