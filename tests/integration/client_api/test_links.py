"""Links in letters: looking changes nothing, the button does one thing once, and they open nothing else."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import Client, Response

from client_api.app import create_app
from notifications.links import Link, Purpose, sign_link
from runtime.logging import configure
from runtime.settings import ApiSettings
from tests.integration.client_api.conftest import LINK_KEY, ShopWindow
from tests.integration.client_api.notices import notify, pay_fields
from tests.integration.client_api.people import Person, paying, register, subscribed
from tests.integration.client_api.serving import serving
from tests.integration.client_api.test_commands import BrokenPublisher
from tests.integration.client_api.test_story import until

pytestmark = pytest.mark.usefixtures("consumer")

NOW = datetime.now(UTC)
Storage = Callable[..., list[tuple[object, ...]]]


def link_of(shop: ShopWindow, person: Person, purpose: Purpose, subject_id: str) -> Link:
    return Link(purpose, shop.studio_id, person.customer_id, UUID(subject_id), NOW + timedelta(days=7))


def path_of(link: Link) -> str:
    return f"/links/{sign_link(LINK_KEY, link, NOW)}"


def press_of(page: Response) -> str:
    (found,) = re.findall(r'name="press" value="([^"]+)"', page.text)
    return str(found)


def pressed(client: Client, path: str) -> Response:
    """What is shown in the end, after the button of the page at `path`."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    return client.post(path, data={"press": press_of(page)}, follow_redirects=True)


@pytest.fixture
def subscription(person: Person, shop: ShopWindow) -> dict[str, Any]:
    return subscribed(person, shop.price_id)


@pytest.fixture
def pay_path(subscription: dict[str, Any], person: Person, shop: ShopWindow) -> str:
    return path_of(link_of(shop, person, "pay", subscription["latest_invoice_id"]))


@pytest.fixture
def active(client: Client, subscription: dict[str, Any], person: Person, shop: ShopWindow) -> dict[str, Any]:
    """The subscription, paid for."""
    attempt = paying(person, subscription["latest_invoice_id"])
    notify(client, shop, "pay", pay_fields(attempt, person.customer_id))
    return until(lambda: person.get(f"/api/v1/subscriptions/{subscription['id']}").json(), "active")


@pytest.fixture
def cancel_path(active: dict[str, Any], person: Person, shop: ShopWindow) -> str:
    return path_of(link_of(shop, person, "cancel", active["id"]))


def commands(storage: Storage, person: Person) -> list[tuple[object, ...]]:
    return storage(
        "SELECT kind, state FROM command_journal WHERE customer_id = %s AND principal LIKE 'link:%%'",
        person.customer_id,
    )


def test_looking_says_what_the_link_does_and_changes_nothing(
    client: Client, person: Person, pay_path: str, storage: Storage
) -> None:
    page = client.get(pay_path)
    assert "Оплата счёта" in page.text
    assert "1\u00a0490\u00a0₽" in page.text
    assert page.text.count("<button") == 1
    assert "Pay the invoice" in client.get(f"{pay_path}?lang=en").text
    assert client.head(pay_path).status_code in (200, 405)
    assert commands(storage, person) == []


def test_a_page_speaks_the_customers_language_not_the_browsers(client: Client, pay_path: str) -> None:
    page = client.get(pay_path, headers={"Accept-Language": "en"})
    assert page.headers["Content-Language"] == "ru"
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_the_button_leads_to_the_payment_page(client: Client, person: Person, pay_path: str) -> None:
    page = pressed(client, pay_path)
    assert page.status_code == 200
    assert page.url.path.startswith("/pay/")
    assert 'id="pay"' in page.text


def test_the_api_and_the_link_find_the_same_attempt(
    client: Client, person: Person, pay_path: str, subscription: dict[str, Any]
) -> None:
    attempt = paying(person, subscription["latest_invoice_id"])
    for _ in range(2):
        assert pressed(client, pay_path).url.path == attempt["pay_url"]


def test_a_double_click_is_one_command(
    client: Client, person: Person, pay_path: str, storage: Storage
) -> None:
    press = press_of(client.get(pay_path))
    ways = {client.post(pay_path, data={"press": press}).headers["Location"] for _ in range(3)}
    assert len(ways) == 1
    client.get(ways.pop(), follow_redirects=True)
    assert commands(storage, person) == [("StartPayment", "applied")]


def test_an_invoice_that_is_paid_has_no_button(
    client: Client, active: dict[str, Any], person: Person, pay_path: str
) -> None:
    page = client.get(pay_path)
    assert "уже оплачен" in page.text
    assert "<button" not in page.text


def test_a_subscription_is_kept_from_being_renewed_and_works_on(
    client: Client, person: Person, cancel_path: str, active: dict[str, Any], storage: Storage
) -> None:
    page = client.get(cancel_path)
    assert "Месяц" in page.text
    assert page.text.count("<button") == 1
    done = pressed(client, cancel_path)
    assert "не продлится" in done.text
    assert "<button" not in done.text
    view = person.get(f"/api/v1/subscriptions/{active['id']}").json()
    assert view["state"] == "active"
    found = storage("SELECT cancel_at_period_end FROM subscription WHERE id = %s", active["id"])
    assert found == [(True,)]
    assert commands(storage, person) == [("CancelSubscription", "applied")]
    assert "не продлится" in client.get(cancel_path).text


def test_a_subscription_that_has_ended_has_no_button(
    client: Client, person: Person, cancel_path: str, active: dict[str, Any]
) -> None:
    person.post(f"/api/v1/subscriptions/{active['id']}/cancel", Prefer="wait=15")
    page = client.get(cancel_path)
    assert "уже закончилась" in page.text
    assert "<button" not in page.text


def test_a_link_is_too_old_after_its_time(
    client: Client, subscription: dict[str, Any], person: Person, shop: ShopWindow
) -> None:
    link = link_of(shop, person, "pay", subscription["latest_invoice_id"])
    path = path_of(replace(link, expires_at=NOW - timedelta(seconds=1)))
    for answer in (client.get(path), client.post(path, data={"press": "x" * 16})):
        assert answer.status_code == 410
        assert "Срок этой ссылки прошёл" in answer.text


def test_a_link_that_is_not_ours_is_no_link(
    client: Client,
    subscription: dict[str, Any],
    person: Person,
    shop: ShopWindow,
    other_shop: ShopWindow,
    storage: Storage,
) -> None:
    link = link_of(shop, person, "pay", subscription["latest_invoice_id"])
    stranger = register(client)
    foreign = [
        path_of(link)[:-3] + "AAA",
        f"/links/{sign_link('x' * 32, link, NOW)}",
        "/links/x",
        path_of(replace(link, customer_id=stranger.customer_id)),
        path_of(replace(link, studio_id=other_shop.studio_id)),
        path_of(replace(link, subject_id=UUID(int=7))),
        path_of(replace(link, purpose="cancel")),
    ]
    for path in foreign:
        assert client.get(path).status_code == 404, path
        assert client.post(path, data={"press": "x" * 16}).status_code in (303, 404), path
    assert client.get(path_of(link), headers={"Host": other_shop.host}).status_code == 404
    assert storage("SELECT id FROM payment_attempt WHERE invoice_id = %s", link.subject_id) == []


def test_a_press_that_is_none_does_nothing(
    client: Client, person: Person, pay_path: str, storage: Storage
) -> None:
    for sent in ({}, {"press": ""}, {"press": "a b"}, {"press": "x" * 500}):
        page = client.post(pay_path, data=sent)
        assert (page.status_code, "<button" in page.text) == (200, True)
    assert client.post(pay_path, content=b"x" * 100_000).status_code == 413
    assert commands(storage, person) == []


def test_what_another_customer_has_pressed_is_not_shown(
    client: Client, person: Person, pay_path: str, shop: ShopWindow
) -> None:
    press = press_of(client.get(pay_path))
    way = client.post(pay_path, data={"press": press}).headers["Location"]
    command_id = way.rpartition("/")[2]
    other = register(client)
    invoice_id = subscribed(other, shop.price_id)["latest_invoice_id"]
    page = client.get(f"{path_of(link_of(shop, other, 'pay', invoice_id))}/{command_id}")
    assert page.status_code == 200
    assert "<button" in page.text


def test_while_nobody_applies_commands_the_page_says_that_it_is_accepted(
    settings: ApiSettings, shop: ShopWindow, pay_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client_api.links.WAIT_SECONDS", 0.1)
    with (
        serving(create_app(settings, BrokenPublisher())) as address,
        Client(base_url=address, headers={"Host": shop.host}) as alone,
    ):
        page = pressed(alone, pay_path)
    assert 'http-equiv="refresh"' in page.text
    assert "Принято" in page.text
    assert "<button" not in page.text


def test_without_a_key_no_link_works(settings: ApiSettings, shop: ShopWindow, pay_path: str) -> None:
    keyless = settings.model_copy(update={"link_key": None})
    with serving(create_app(keyless, BrokenPublisher())) as address, Client(base_url=address) as other:
        assert other.get(pay_path, headers={"Host": shop.host}).status_code == 404


def test_the_token_is_in_no_log_and_no_row(
    client: Client,
    pay_path: str,
    person: Person,
    storage: Storage,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("test")
    token = pay_path.rpartition("/")[2]
    pressed(client, pay_path)
    client.get(f"{pay_path}x")
    written = capsys.readouterr().out
    assert '"/links/{token}"' in written
    assert token not in written
    for table in ("command_journal", "audit", "outbox"):
        rows = storage(f"SELECT row_to_json(t)::text FROM {table} t")  # noqa: S608
        assert not any(token in str(row) for (row,) in rows)
