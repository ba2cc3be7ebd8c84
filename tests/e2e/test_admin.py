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
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

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
# Beyond what the story of the demo books.
BOOKED_DAYS_AHEAD = 10
# Of a busy day: hall, from, until, and how it is paid; without that it is held.
BUSY = (
    (0, "10:00", "12:00", "on_site"),
    (0, "14:00", "16:30", "on_site"),
    (0, "19:00", "21:00", "online"),
    (1, "15:00", "17:00", ""),
    (2, "12:00", "15:00", "on_site"),
    (2, "18:00", "20:30", "on_site"),
)
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


def test_halls_are_walked_and_booked_by_the_keyboard_alone(page: Page, office: Office) -> None:
    page.goto(f"{office.admin_url}/admin/board?on={_days_ahead(BOOKED_DAYS_AHEAD)}")
    rows = page.get_by_role("grid").locator("tbody tr")
    rows.nth(0).locator(".board-free").nth(2).focus()
    for key, row in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowRight", 0), ("Home", 0)):
        page.keyboard.press(key)
        expect(rows.nth(row).locator(":focus")).to_have_count(1)
    expect(page.locator(":focus")).to_have_attribute("href", re.compile("/admin/halls/details/"))
    for key in (
        "ArrowRight",
        "ArrowRight",
        "Shift+ArrowRight",
        "Shift+ArrowRight",
        "Shift+ArrowRight",
        "Enter",
    ):
        page.keyboard.press(key)
    choice = page.get_by_role("dialog")
    expect(choice.get_by_role("link")).to_have_count(2)
    chosen = choice.locator("p").inner_text()
    page.keyboard.press("Escape")
    expect(choice).to_have_count(0)
    expect(rows.nth(0).locator(".board-free:focus")).to_have_count(1)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(choice.locator("p")).not_to_have_text(chosen)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/admin/do/book\?.*hall_id="))
    page.locator("input[type=search]").fill("Анна")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    _confirm(page)
    booking = _checked_out(page, office)
    _go_by_keys(page, office, booking)


def _days_ahead(days: int) -> str:
    return (datetime.now(tz=UTC) + timedelta(days=days)).date().isoformat()


def _confirm(page: Page) -> None:
    """The form, what it would do, and what became of it."""
    submit(page)
    expect(page.locator(".effect").first).to_be_visible()
    submit(page)
    expect(page.locator("[data-operation-state=applied]")).to_be_visible(timeout=ANSWER_MS_MAX)


def _checked_out(page: Page, office: Office) -> str:
    """From the board, to be paid on site: then it is confirmed, and may be moved. The path of its page."""
    page.goto(f"{office.admin_url}/admin/board?on={_days_ahead(BOOKED_DAYS_AHEAD)}")
    held = page.locator(".board-is-held [data-cell]")
    expect(held.locator(".board-left")).to_have_text(re.compile(r"\d:\d\d"))
    held.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/admin/bookings/details/"))
    booking = page.url
    page.locator("a[href*='/admin/do/check_out_booking/']").first.click()
    page.locator("[name=payment]").select_option("on_site")
    _confirm(page)
    expect(page.locator(".state[data-state=confirmed].current")).to_be_visible()
    return booking.removeprefix(office.admin_url)


def _go_by_keys(page: Page, office: Office, booking: str) -> None:
    """From the day before, and by way of the week, the keys lead to the booking."""
    page.goto(f"{office.admin_url}/admin/board?on={_days_ahead(BOOKED_DAYS_AHEAD - 1)}")
    page.locator("[data-cell]").nth(1).focus()
    page.keyboard.press("PageDown")
    expect(page).to_have_url(re.compile(f"on={_days_ahead(BOOKED_DAYS_AHEAD)}&scale=day"))
    block = page.locator(f"[data-cell][href='{booking}']")
    expect(block).to_have_attribute("aria-label", re.compile("Анна.*подтверждена"))
    expect(page.locator("[data-cell]:focus")).to_have_count(1)
    page.keyboard.press("w")
    expect(page.get_by_role("grid")).to_have_count(7)
    page.keyboard.press("d")
    expect(page.get_by_role("grid")).to_have_count(1)
    block.focus()
    with page.expect_response(lambda answer: "/admin/board" in answer.url):
        # As when one comes back to the page: it is made anew, and the focus stays.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(f"[href='{booking}']:focus")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(office.admin_url + booking)
    page.go_back()
    page.locator("[data-cell]").nth(1).focus()
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile(f"on={_days_ahead(0)}|on={_days_ahead(1)}"))


def test_pointer_chooses_a_time_and_carries_a_booking_to_another_hall(
    page: Page, office: Office, busy_day: str, photograph: Callable[[Page, str], None]
) -> None:
    page.goto(f"{office.admin_url}/admin/board?on={busy_day}")
    rows = page.get_by_role("grid").locator("tbody tr")
    other = rows.nth(1)
    first, last = (other.locator(".board-free").nth(number) for number in (1, 4))
    _drag(page, _middle(first), _middle(last))
    photograph(page, "admin-halls")
    hall = str(other.get_attribute("data-hall"))
    closing = page.get_by_role("dialog").get_by_role("link").nth(1)
    expect(closing).to_have_attribute("href", re.compile(f"/admin/do/block_hall/{hall}"))
    page.keyboard.press("Escape")
    where = _middle(rows.nth(0).locator("[data-move]").first)
    _drag(page, where, (where[0] + 4, _middle(first)[1]))
    expect(page).to_have_url(re.compile(r"/admin/do/reschedule_booking/"))
    expect(page.locator("[name=hall_id]")).to_have_value(hall)
    submit(page)
    expect(page.locator(".effect").first).to_be_visible()


@pytest.fixture(scope="module")
def busy_day(office: Office) -> str:
    """A day with bookings of several states and a closed hall, made by the JSON API."""
    day = _days_ahead(BOOKED_DAYS_AHEAD + 1)
    with httpx.Client(base_url=f"{office.admin_url}/admin/api/v1", timeout=ANSWER_MS_MAX / 1000) as api:
        signed = api.post("/sign-in", json={"email": OWNER, "password": office.password}).json()
        api.headers["Authorization"] = f"Bearer {signed['access_token']}"
        halls = [hall["id"] for hall in api.get("/halls").json()["items"]]
        customers = [
            each["id"] for each in api.get("/customers", params={"limit": len(BUSY)}).json()["items"]
        ]
        for (hall, starts, ends, payment), customer in zip(BUSY, customers, strict=True):
            times = {"starts_at": f"{day} {starts}", "ends_at": f"{day} {ends}"}
            wanted = {"hall_id": halls[hall], "customer_id": customer, "people": 4, **times}
            held = _command(api, "/bookings", wanted)
            if payment:
                _command(api, f"/bookings/{held['booking_id']}/checkout", {"payment": payment})
        closed = {"starts_at": f"{day} 18:00", "ends_at": f"{day} 20:00", "note": "Настройка рояля"}
        _command(api, f"/halls/{halls[1]}/blackouts", closed)
    return day


def _command(api: httpx.Client, path: str, body: dict[str, object]) -> dict[str, str]:
    """What the command said when it was applied."""
    headers = {"Prefer": f"wait={int(STEP_SECONDS_MAX)}", "Idempotency-Key": uuid4().hex}
    answer = api.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    result: dict[str, str] = answer.json()["result"]
    return result


def _middle(one: Locator) -> tuple[float, float]:
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()


def test_halls_are_links_without_a_script(page: Page, browser: Browser, office: Office) -> None:
    context = browser.new_context(viewport=WIDE, locale="ru-RU", java_script_enabled=False)  # type: ignore[arg-type]
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(f"{office.admin_url}/admin/board?on={_days_ahead(BOOKED_DAYS_AHEAD)}")
    plain.locator(".board-free").first.click()
    expect(plain).to_have_url(re.compile(r"/admin/do/book\?"))
    expect(plain.locator("[name=starts_at]")).to_have_value(re.compile(_days_ahead(BOOKED_DAYS_AHEAD)))
    plain.go_back()
    plain.locator("a[rel=next]").click()
    expect(plain).to_have_url(re.compile(f"on={_days_ahead(BOOKED_DAYS_AHEAD + 1)}"))
    context.close()


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
