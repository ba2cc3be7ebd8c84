"""A customer's page and a letter in a real browser, on the stack that `./run` starts.

One story: subscribe and pay, a month later be reminded, pay nothing and let the subscription end. With
`--pictures DIR` the page and the letter are photographed there: the README's pictures come from here.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ANSWER_MS_MAX, NARROW, WIDE, Town

# The first test may have to install the browser.
pytestmark = pytest.mark.timeout(900)

LETTER = {"width": 640, "height": 400}
PLAN = "Репетиции: месяц"
# Within the week in which the next period is invoiced, whatever month it is, and at an hour for letters.
AHEAD, AT, TIMEZONE = timedelta(days=25), time(12), ZoneInfo("Europe/Moscow")


def test_customer_pays_is_reminded_and_lets_the_subscription_end(
    page: Page, town: Town, photograph: Callable[[Page, str], None]
) -> None:
    _register(page, town)
    _subscribe_and_pay(page)
    page.goto(town.client_url)
    mine = page.locator("#subscriptions")
    expect(mine).to_contain_text("is active, paid until", timeout=ANSWER_MS_MAX)
    town.go_ahead(_seconds_ahead(), "renewal", "reminder")
    expect(mine).to_contain_text("for the period", timeout=ANSWER_MS_MAX)
    expect(mine).to_contain_text("It can be paid until")
    photograph(page, "home")
    _read_the_letter(page, town, photograph)
    page.goto(town.client_url)
    mine.get_by_role("button", name="Do not renew after").click()
    expect(mine).to_contain_text("and then ends", timeout=ANSWER_MS_MAX)
    expect(mine.locator("li").last).to_contain_text("will not be renewed")
    expect(mine.get_by_role("button", name="Ask for a refund")).to_be_visible()
    expect(mine.get_by_role("button", name="Pay")).to_have_count(0)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def _seconds_ahead() -> int:
    now = datetime.now(TIMEZONE)
    return int((datetime.combine((now + AHEAD).date(), AT, TIMEZONE) - now).total_seconds())


def _register(page: Page, town: Town) -> None:
    """In Russian, so that letters are; the page itself is read in English."""
    body = {"email": "anna@example.org", "password": "correct horse battery", "name": "Анна", "locale": "ru"}
    httpx.post(f"{town.client_url}/api/v1/auth/register", json=body).raise_for_status()
    page.goto(town.client_url)
    page.locator("[name=email]").fill(body["email"])
    page.locator("[name=password]").fill(body["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def _subscribe_and_pay(page: Page) -> None:
    page.locator("article", has_text=PLAN).locator("[data-price]").click()
    page.locator("#subscriptions").get_by_role("button", name="Pay").click()
    page.locator("#pay").click()
    page.locator("form[action$='/pay'] button").click()
    page.locator("a.button.main").click()
    expect(page.locator(".phase-paid")).to_be_visible(timeout=ANSWER_MS_MAX)


def _read_the_letter(page: Page, town: Town, photograph: Callable[[Page, str], None]) -> None:
    """The reminder, and that its button leads to a page with one button to pay."""
    heading = page.get_by_role("heading", name="Скоро новый период подписки")
    page.set_viewport_size(LETTER)  # type: ignore[arg-type]
    for _ in range(ANSWER_MS_MAX // 500):
        page.goto(town.letter())
        if heading.count():
            break
        page.wait_for_timeout(500)
    expect(heading).to_be_visible()
    photograph(page, "letter")
    page.goto(str(page.locator("a").first.get_attribute("href")))
    expect(page.locator("form button")).to_have_text("Перейти к оплате")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
