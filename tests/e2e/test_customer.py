"""A customer's page and a letter in a real browser, on the stack that `./run` starts.

One story: subscribe and pay, a month later be reminded, pay nothing and let the subscription end. With
`--pictures DIR` the page and the letter are photographed there: the README's pictures come from here.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from runtime.ports import free_port
from runtime.stack_secrets import SHELL_FILE
from tests.browser import open_browser
from tests.e2e.test_run import SERVING, START_SECONDS_MAX, run, wait_for_log
from tests.servers import open_directory

# The first test may have to install the browser.
pytestmark = pytest.mark.timeout(900)

WIDE = {"width": 1100, "height": 900}
LETTER = {"width": 640, "height": 400}
NARROW = {"width": 390, "height": 844}
ANSWER_MS_MAX = 20_000
JOB_SECONDS_MAX = 60.0
PLAN = "Репетиции: месяц"
# Within the week in which the next period is invoiced, whatever month it is.
AHEAD_SECONDS = 25 * 86_400


class Town:
    """Addresses of a stack that serves, and its clock."""

    def __init__(self, directory: Path, said: str) -> None:
        self.client_url = _found(r"Client page +(http://localhost:\d+)/", said)
        self.mailbox_url = _found(r"Letters +(http://127\.0\.0\.1:\d+)/", said)
        self._database_url = _found(r"export DATABASE_URL=(\S+)", (directory / SHELL_FILE).read_text())

    def go_ahead(self) -> None:
        """A month later the jobs of the clock run."""
        with psycopg.connect(self._database_url) as connection:
            connection.execute("INSERT INTO clock_offset SELECT id, %s FROM studio", [AHEAD_SECONDS])
        for job in ("renewal", "reminder"):
            subprocess.run(
                [sys.executable, "-m", "cli.main", "cron", "run", job],
                env={**os.environ, "DATABASE_URL": self._database_url},
                check=True,
                timeout=JOB_SECONDS_MAX,
            )

    def letter(self) -> str:
        """The address of the newest letter's HTML."""
        newest = httpx.get(f"{self.mailbox_url}/_mailbox/messages", params={"limit": 1}).json()[0]
        return f"{self.mailbox_url}/messages/{newest['id']}/html"


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with open_directory() as directory, run(directory, "--admin-port", str(free_port())) as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        yield Town(directory, one.read_log())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Says yes to every question. Fails if a page broke a script or its content policy."""
    context = browser.new_context(viewport=WIDE, locale="en-US", timezone_id="Europe/Moscow")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS_MAX)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def photograph(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture of what is seen, when somebody asked for pictures."""
    directory: str | None = request.config.getoption("--pictures")

    def keep(page: Page, name: str) -> None:
        if directory is not None:
            page.screenshot(path=Path(directory) / f"{name}.png", full_page=name == "letter")

    return keep


def test_customer_pays_is_reminded_and_lets_the_subscription_end(
    page: Page, town: Town, photograph: Callable[[Page, str], None]
) -> None:
    _register(page, town)
    _subscribe_and_pay(page)
    page.goto(town.client_url)
    mine = page.locator("#subscriptions")
    expect(mine).to_contain_text("is active, paid until", timeout=ANSWER_MS_MAX)
    town.go_ahead()
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
