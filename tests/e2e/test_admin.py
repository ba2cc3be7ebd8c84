"""The managers' admin in a real browser, on the stack that `./run` starts.

One story: sign in, set a price and read whom it reaches, refund a customer's invoice, and see its path drawn.
With `--pictures DIR` the pages are photographed there: the README's pictures come from here.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.history import fill_history
from cli.demo import DEMO_STUDIO_ID
from demo.client import ApiClient
from demo.story import STEPS, Story
from runtime.ports import free_port
from runtime.stack_secrets import SECRETS_FILE, SHELL_FILE
from tests.browser import open_browser
from tests.e2e.test_run import SERVING, START_SECONDS_MAX, run, wait_for_log
from tests.servers import open_directory

# The first test may have to install the browser.
pytestmark = pytest.mark.timeout(900)

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
ANSWER_MS_MAX = 20_000
STEP_SECONDS_MAX = 30.0
PAST_INVOICES = 1_500
OWNER = "owner@example.org"
# Up to the paid invoice; what follows is the manager's here.
BEFORE_THE_REFUND = "Asks for a refund"


class Office:
    """Addresses of a stack that serves, and a customer who has paid."""

    def __init__(
        self, directory: Path, admin_url: str, client_url: str, twin_url: str, mailbox_url: str
    ) -> None:
        secrets = json.loads((directory / SECRETS_FILE).read_text())
        _remember(directory)
        self.password: str = secrets["staff_password"]
        self.admin_url = admin_url
        with ApiClient(client_url) as api:
            story = Story(api, api, twin_url, mailbox_url, OWNER, self.password)
            for title, step in STEPS:
                if title == BEFORE_THE_REFUND:
                    break
                step(story, time.monotonic() + STEP_SECONDS_MAX)
            self.invoice = api.get("/api/v1/invoices")["items"][0]


def _remember(directory: Path) -> None:
    """Gives the demo studio a past, so that lists and charts have something to show."""
    found = re.search(r"export DATABASE_URL=(\S+)", (directory / SHELL_FILE).read_text())
    assert found is not None
    now = datetime.now(tz=UTC)
    fill_history(found[1], DEMO_STUDIO_ID, PAST_INVOICES, ends_at=now - timedelta(minutes=5))


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    admin_port = free_port()
    with open_directory() as directory, run(directory, "--admin-port", str(admin_port)) as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        said = one.read_log()
        client = re.search(r"Client page +(http://localhost:\d+)/", said)
        twin = re.search(r"(http://127\.0\.0\.1:\d+)/_twin/ledger", said)
        assert client is not None, said
        assert twin is not None, said
        mailbox = re.search(r"Letters +(http://\S+)/", said)
        assert mailbox is not None, said
        yield Office(directory, f"http://localhost:{admin_port}", client[1], twin[1], mailbox[1])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, office: Office) -> Iterator[Page]:
    """Signed in as the owner. Fails if a page asked another host, broke a script or its content policy."""
    context = browser.new_context(viewport=WIDE, locale="ru-RU")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS_MAX)
    foreign: list[str] = []
    faults: list[str] = []
    page.on("request", lambda asked: foreign.append(asked.url) if _is_foreign(asked.url, office) else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{office.admin_url}/admin/")
    page.locator("input[name=email]").fill(OWNER)
    page.locator("input[name=password]").fill(office.password)
    page.locator("form button[type=submit]").first.click()
    expect(page).to_have_url(f"{office.admin_url}/admin/")
    yield page
    context.close()
    assert foreign == []
    assert faults == []


def _is_foreign(url: str, office: Office) -> bool:
    return not url.startswith((office.admin_url, "data:", "blob:"))


@pytest.fixture
def photograph(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture of what is seen, when somebody asked for pictures."""
    directory: str | None = request.config.getoption("--pictures")

    def keep(page: Page, name: str) -> None:
        if directory is not None:
            page.screenshot(path=Path(directory) / f"{name}.png")

    return keep


def submit(page: Page) -> None:
    page.locator("main form button[type=submit], .narrow form button[type=submit]").first.click()


def test_owner_sees_the_studios_numbers(page: Page, photograph: Callable[[Page, str], None]) -> None:
    expect(page.locator("body")).to_contain_text("₽")
    pictures = page.locator("img.chart-picture")
    expect(pictures.first).to_be_visible()
    for index in range(pictures.count()):
        picture = pictures.nth(index)
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("each => each.naturalWidth") > 0, picture.get_attribute("src")
    page.evaluate("window.scrollTo(0, 0)")
    photograph(page, "admin-dashboard")


def test_price_is_set_after_reading_whom_it_reaches(
    page: Page, office: Office, photograph: Callable[[Page, str], None]
) -> None:
    page.goto(f"{office.admin_url}/admin/plans/list")
    page.get_by_role("link", name="Репетиции: месяц").first.click()
    page.locator("a[href*='/admin/do/set_price/']").first.click()
    page.locator("[name=amount_minor]").fill("1 690,50")
    page.locator("[name=effective_from]").fill(f"{datetime.now(tz=UTC).year + 1}-12-01")
    submit(page)
    expect(page.locator(".effect")).to_contain_text("1 декабря")
    photograph(page, "admin-price")
    submit(page)
    expect(page).to_have_url(re.compile(r"/admin/plans/details/"))
    expect(page.locator("body")).to_contain_text(re.compile(r"1.690,50.₽"))


def test_invoice_is_refunded_and_its_path_drawn(
    page: Page, office: Office, photograph: Callable[[Page, str], None]
) -> None:
    page.goto(f"{office.admin_url}/admin/invoices/list?search={office.invoice['number']}")
    page.get_by_role("link", name=office.invoice["number"]).first.click()
    expect(page.locator(".state[data-state=paid].current")).to_be_visible()
    page.locator("a[href*='/admin/do/request_refund/']").first.click()
    page.locator("[name=amount_minor]").fill("490")
    page.locator("[name=reason]").fill("Зал был занят")
    submit(page)
    expect(page.locator(".effect")).to_be_visible()
    submit(page)
    expect(page.locator("[data-operation-state]")).to_be_visible()
    _approve(page, office)
    page.goto(f"{office.admin_url}/admin/invoices/details/{office.invoice['id']}")
    deadline = time.monotonic() + STEP_SECONDS_MAX
    while not page.locator(".state[data-state=partially_refunded].current").count():
        assert time.monotonic() < deadline, page.locator("body").inner_text()
        page.wait_for_timeout(300)
        page.reload()
    taken = page.locator(".edge.taken[data-trigger=refund][data-from=paid]")
    expect(taken.first).to_be_visible()
    page.evaluate("window.scrollTo(0, 0)")
    photograph(page, "admin-invoice")


def _approve(page: Page, office: Office) -> None:
    """On the refund's own page, as soon as its row is there."""
    deadline = time.monotonic() + STEP_SECONDS_MAX
    row = page.locator("a[href*='/admin/refunds/details/']").first
    page.goto(f"{office.admin_url}/admin/refunds/list?state=requested")
    while not row.count():
        assert time.monotonic() < deadline, page.locator("body").inner_text()
        page.wait_for_timeout(300)
        page.reload()
    row.click()
    page.locator("a[href*='/admin/do/approve_refund/']").first.click()
    submit(page)
    expect(page.locator("[data-operation-state]")).to_be_visible()


def test_every_page_of_the_menu_fits_a_phone(
    page: Page, office: Office, photograph: Callable[[Page, str], None]
) -> None:
    links = page.locator("aside a[href*='/admin/']")
    addresses = sorted({str(links.nth(index).get_attribute("href")) for index in range(links.count())})
    assert len(addresses) > 8
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    for address in addresses:
        page.goto(address if address.startswith("http") else office.admin_url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], f"{address} is {width} px wide"
    page.goto(f"{office.admin_url}/admin/invoices/details/{office.invoice['id']}")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    photograph(page, "admin-phone")


def test_cookie_of_a_signed_out_browser_opens_nothing(page: Page, browser: Browser, office: Office) -> None:
    stolen = page.context.cookies()
    thief = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
    thief.add_cookies(stolen)  # type: ignore[arg-type]
    other = thief.new_page()
    other.goto(f"{office.admin_url}/admin/invoices/list")
    expect(other).to_have_url(re.compile(r"/admin/invoices/list"))
    page.goto(f"{office.admin_url}/admin/logout")
    submit(page)
    other.reload()
    expect(other.locator("input[name=password]")).to_be_visible()
    thief.close()
