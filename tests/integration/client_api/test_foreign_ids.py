"""Other people's ids, in every place an id may stand: the answer of an absent one, and nothing changes."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from httpx import Client, Response

from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.people import Person, paying, register, subscribed

pytestmark = pytest.mark.usefixtures("consumer")

ABSENT = "018f0000-0000-7000-8000-000000000000"

Ask = Callable[[Person, str], Response]


def _post(path: str, body: object) -> Ask:
    return lambda person, identifier: person.post(
        path.format(identifier), body, Idempotency_Key=secrets.token_hex(8), Prefer="wait=10"
    )


ASKS: dict[str, tuple[str, Ask]] = {
    "subscription": ("subscription", lambda p, i: p.get(f"/api/v1/subscriptions/{i}")),
    "cancel": ("subscription", _post("/api/v1/subscriptions/{}/cancel", None)),
    "invoice": ("invoice", lambda p, i: p.get(f"/api/v1/invoices/{i}")),
    "pay": ("invoice", _post("/api/v1/invoices/{}/pay", {"provider": "cloudpayments"})),
    "refund": ("invoice", _post("/api/v1/invoices/{}/refund-requests", {"amount_minor": 1, "reason": "x"})),
    "attempt": ("attempt", lambda p, i: p.get(f"/api/v1/payment-attempts/{i}")),
}


@pytest.fixture(scope="module")
def victim(client: Client, shop: ShopWindow, consumer: None) -> dict[str, str]:
    person = register(client)
    subscription = subscribed(person, shop.price_id)
    attempt = paying(person, subscription["latest_invoice_id"])
    return {
        "subscription": subscription["id"],
        "invoice": subscription["latest_invoice_id"],
        "attempt": attempt["id"],
    }


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("from_elsewhere", [False, True], ids=["same studio", "other studio"])
def test_a_foreign_id_is_answered_as_an_absent_one(
    client: Client,
    other_shop: ShopWindow,
    victim: dict[str, str],
    storage: Any,
    name: str,
    from_elsewhere: bool,
) -> None:
    stranger = register(client, other_shop.host if from_elsewhere else None)
    kind, ask = ASKS[name]
    foreign, absent = ask(stranger, victim[kind]), ask(stranger, ABSENT)
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() == absent.json()
    assert storage("SELECT 1 FROM command_journal WHERE customer_id = %s", stranger.customer_id) == []


def test_lists_hold_nothing_of_others(client: Client, victim: dict[str, str]) -> None:
    stranger = register(client)
    for path in ("subscriptions", "invoices"):
        assert stranger.get(f"/api/v1/{path}").json() == {"items": [], "next_cursor": None}
        page = stranger.get(f"/api/v1/{path}?cursor=ffffffff-ffff-7fff-bfff-ffffffffffff").json()
        assert page["items"] == []


@pytest.mark.parametrize(
    "return_url",
    [
        "//evil.example.org",
        "https:evil.example.org",
        "\\evil",
        "http://shop.example.org@evil.example.org/",
        "http://shop.example.org.evil.example.org/",
        "http://evil.example.org/http://shop.example.org",
        "http://shop.example.org\r\nSet-Cookie: a=b",
        "http://shop.example.org\\@evil.example.org",
        "https://shop.example.org/",
        "http://shop.example.org:81/",
        "javascript:alert(1)",
        "HTTP://SHOP.EXAMPLE.ORG/",
        "http://shop.example.org/" + "x" * 1_100,
        "",
    ],
    ids=lambda url: url[:45],
)
def test_a_return_url_beyond_the_listed_origins_is_422(
    client: Client, shop: ShopWindow, return_url: str
) -> None:
    person = register(client)
    invoice_id = subscribed(person, shop.price_id)["latest_invoice_id"]
    answer = person.post(
        f"/api/v1/invoices/{invoice_id}/pay",
        {"provider": "cloudpayments", "method": "widget", "return_url": return_url},
        Idempotency_Key="k1",
    )
    assert answer.status_code == 422 or return_url == "", answer.text
