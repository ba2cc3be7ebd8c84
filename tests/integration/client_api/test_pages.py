"""The pages: in two languages, under a strict policy, and honest about money."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx import Client

from cli.demo_halls import EXTRAS, HALLS, seed_halls
from client_api.app import create_app
from runtime.settings import ApiSettings
from tests.databases import owner_engine
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.notices import notify, pay_fields
from tests.integration.client_api.people import Person, paying, register, subscribed
from tests.integration.client_api.serving import serving
from tests.integration.client_api.test_commands import BrokenPublisher
from tests.integration.client_api.test_story import until

pytestmark = pytest.mark.usefixtures("consumer")

WIDGET_ORIGIN = "http://127.0.0.1:9"


@pytest.fixture
def attempt(person: Person, shop: ShopWindow) -> dict[str, Any]:
    return paying(person, subscribed(person, shop.price_id)["latest_invoice_id"])


def scripts_are_files(text: str) -> bool:
    inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", text)
    return not inline and " style=" not in text and not re.search(r"\son[a-z]+=", text)


def test_the_home_page_shows_what_is_sold_in_the_visitors_language(client: Client) -> None:
    russian = client.get("/", headers={"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.5"})
    english = client.get("/", headers={"Accept-Language": "en-GB"})
    assert "1\u00a0490\u00a0₽" in russian.text
    assert "Подписаться" in russian.text
    assert "Subscribe" in english.text
    assert "RUB\u00a01,490" in english.text
    assert 'lang="ru"' in client.get("/?lang=ru", headers={"Accept-Language": "en"}).text
    policy = russian.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert scripts_are_files(russian.text)


def test_every_file_that_a_page_names_is_there(client: Client, attempt: dict[str, Any]) -> None:
    for page in (
        "/",
        "/book",
        f"/bookings/{uuid4()}",
        "/docs",
        attempt["pay_url"],
        f"{attempt['pay_url']}/done",
    ):
        text = client.get(page).text
        for path in re.findall(r'(?:src|href)="(/[^"]*)"', text):
            assert client.get(path).status_code == 200, path


@pytest.fixture(scope="module")
def halls(api_database: str, open_shop: Callable[[], ShopWindow]) -> ShopWindow:
    """A studio with the demo's halls, seeded twice."""
    window = open_shop()
    for _ in range(2):
        with owner_engine(api_database).begin() as connection:
            seed_halls(connection, window.studio_id, datetime(2020, 1, 1, tzinfo=UTC))
    return window


def test_the_booking_page_shows_each_hall_once_with_the_least_that_an_hour_costs(
    client: Client, halls: ShopWindow
) -> None:
    page = client.get("/book", headers={"Host": halls.host, "Accept-Language": "en"})
    assert [page.text.count(f"<b>{hall.name}</b>") for hall in HALLS] == [1] * len(HALLS)
    assert "from RUB\u00a01,200 per hour" in page.text
    assert f"up to {HALLS[0].capacity} people" in page.text
    assert page.text.count(EXTRAS[-1].name) == 1, "an extra of one hall is offered with another"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert scripts_are_files(page.text)


def test_a_studio_without_halls_says_so_and_does_not_lead_to_booking(
    client: Client, halls: ShopWindow
) -> None:
    assert "No hall can be booked yet" in client.get("/book", headers={"Accept-Language": "en"}).text
    assert 'href="/book' not in client.get("/").text
    assert 'href="/book' in client.get("/", headers={"Host": halls.host}).text


def test_the_page_of_a_booking_tells_nothing_without_a_sign_in(client: Client) -> None:
    page = client.get(f"/bookings/{uuid4()}", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert scripts_are_files(page.text)
    assert client.get("/bookings/x").status_code == 404


def test_the_language_that_was_asked_for_leads_to_the_next_page(client: Client, halls: ShopWindow) -> None:
    headers = {"Host": halls.host, "Accept-Language": "ru"}
    assert 'href="/book?lang=en"' in client.get("/?lang=en", headers=headers).text
    assert 'href="/book"' in client.get("/", headers=headers).text


def test_the_demo_customer_signs_in_without_a_password_where_that_is_allowed(
    client: Client, settings: ApiSettings, shop: ShopWindow
) -> None:
    first, second = (client.post("/demo/sign-in").json() for _ in range(2))
    assert first["customer"] == second["customer"]
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {second['access_token']}"})
    assert me.json()["email"] == "demo@example.org"
    by_password = {"email": "demo@example.org", "password": "demo-demo-demo"}
    assert client.post("/api/v1/auth/login", json=by_password).status_code == 401
    closed = settings.model_copy(update={"demo_sign_in": False})
    with serving(create_app(closed, BrokenPublisher())) as address, Client(base_url=address) as other:
        headers = {"Host": shop.host}
        assert other.post("/demo/sign-in", headers=headers).status_code == 404
        assert 'id="demo"' not in other.get("/", headers=headers).text


def test_the_payment_page_lets_in_the_widget_of_its_account_alone(
    client: Client, attempt: dict[str, Any]
) -> None:
    page = client.get(attempt["pay_url"])
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' {WIDGET_ORIGIN};" in policy
    assert "unsafe" not in policy
    assert f'src="{WIDGET_ORIGIN}/bundles/cloudpayments.js"' in page.text
    assert '"amount":1490.00' in page.text
    assert f"{attempt['pay_url']}/done" in page.text
    assert scripts_are_files(page.text)
    assert "@example.org" not in page.text


def test_the_last_page_says_how_it_went_and_looks_again_while_it_may_change(
    client: Client, person: Person, shop: ShopWindow, attempt: dict[str, Any]
) -> None:
    path = attempt["pay_url"]
    english = {"Accept-Language": "en"}
    waiting = client.get(f"{path}/done", headers=english).text
    assert "We are waiting for the bank" in waiting
    assert '<noscript><meta http-equiv="refresh"' in waiting
    before = client.get(f"{path}/status").json()
    notify(client, shop, "pay", pay_fields(attempt, person.customer_id))
    until(lambda: person.get(f"/api/v1/payment-attempts/{attempt['id']}").json(), "succeeded")
    assert client.get(f"{path}/status").json() != before
    paid = client.get(f"{path}/done", headers=english).text
    assert "Thank you!" in paid
    assert "data-status" not in paid
    assert "Thank you!" in client.get(path, headers=english).text


def test_a_declined_try_is_told_and_the_page_stays_payable(
    client: Client, person: Person, shop: ShopWindow, attempt: dict[str, Any], storage: Any
) -> None:
    fields = pay_fields(attempt, person.customer_id, Reason="InsufficientFunds", ReasonCode="5051")
    notify(client, shop, "fail", fields)
    until(lambda: {"state": str(_declines(storage, attempt))}, "1")
    page = client.get(attempt["pay_url"], headers={"Accept-Language": "en"}).text
    assert "did not let the last try through" in page
    assert 'id="pay"' in page


def _declines(storage: Any, attempt: dict[str, Any]) -> int:
    ((declines,),) = storage("SELECT declines FROM payment_attempt WHERE id = %s", attempt["id"])
    return int(declines)


@pytest.mark.parametrize("address", ["018f0000-0000-7000-8000-000000000000", "x", "%00", "..%2f.."])
def test_a_payment_that_is_not_here_is_404(client: Client, address: str) -> None:
    assert client.get(f"/pay/{address}").status_code == 404
    assert client.get(f"/pay/{address}/done").status_code == 404
    assert client.get(f"/pay/{address}/status").status_code == 404


def test_a_payment_of_another_studio_is_404(
    client: Client, attempt: dict[str, Any], other_shop: ShopWindow
) -> None:
    assert client.get(attempt["pay_url"], headers={"Host": other_shop.host}).status_code == 404


def test_what_people_wrote_is_shown_as_text(client: Client, shop: ShopWindow, storage: Any) -> None:
    person = register(client)
    attempt = paying(person, subscribed(person, shop.price_id)["latest_invoice_id"])
    storage(
        "UPDATE invoice_line SET description = %s WHERE invoice_id = %s",
        "</script><img src=x onerror=alert(1)>",
        attempt["invoice_id"],
    )
    text = client.get(attempt["pay_url"]).text
    assert "<img" not in text
    assert "onerror" in text
    assert text.count("</script>") == text.count("<script")
