"""Commands while nobody applies them: accepted once however often asked, seen by their sender alone."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from httpx import Client

from bus.port import BusAway, Envelope
from client_api.app import create_app
from runtime.settings import ApiSettings
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.people import Person, register
from tests.integration.client_api.serving import serving

ABSENT = "018f0000-0000-7000-8000-000000000000"


def accepted(person: Person, shop: ShopWindow, **headers: str) -> Any:
    answer = person.post("/api/v1/subscriptions", {"price_id": str(shop.price_id)}, **headers)
    assert answer.status_code == 202, answer.text
    return answer


def test_an_accepted_command_is_a_row_of_the_journal(person: Person, shop: ShopWindow, storage: Any) -> None:
    answer = accepted(person, shop, X_Request_ID="trace-0001")
    command_id = answer.json()["command_id"]
    assert answer.headers["Location"] == f"/api/v1/operations/{command_id}"
    row = storage(
        "SELECT kind, principal, correlation_id, customer_id, studio_id FROM command_journal"
        " WHERE command_id = %s",
        UUID(command_id),
    )
    principal = f"customer:{person.customer_id}"
    assert row == [("CreateSubscription", principal, "trace-0001", person.customer_id, shop.studio_id)]
    assert storage("SELECT action, principal FROM audit WHERE facts ->> 'command_id' = %s", command_id) == [
        ("CreateSubscription", principal)
    ]
    assert person.get(answer.headers["Location"]).json()["state"] == "accepted"


def test_the_same_request_with_the_same_key_is_one_command(person: Person, shop: ShopWindow) -> None:
    key = secrets.token_hex(8)
    first, second = (accepted(person, shop, Idempotency_Key=key) for _ in range(2))
    assert first.json() == second.json()
    assert accepted(person, shop).json()["command_id"] != first.json()["command_id"]


def test_one_key_sent_from_many_places_at_once_is_one_command(
    person: Person, shop: ShopWindow, storage: Any
) -> None:
    key = secrets.token_hex(8)
    with ThreadPoolExecutor(16) as places:
        answers = list(places.map(lambda _: accepted(person, shop, Idempotency_Key=key), range(32)))
    assert len({answer.json()["command_id"] for answer in answers}) == 1
    assert storage("SELECT count(*) FROM command_journal WHERE customer_id = %s", person.customer_id) == [
        (1,)
    ]
    assert storage(
        "SELECT count(*) FROM audit WHERE principal = %s AND action = 'CreateSubscription'",
        f"customer:{person.customer_id}",
    ) == [(1,)]


def test_metadata_that_a_message_could_not_carry_is_422(person: Person, shop: ShopWindow) -> None:
    body = {"price_id": str(shop.price_id), "metadata": {"a": "x" * 9_000}}
    answer = person.post("/api/v1/subscriptions", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "xxx" not in answer.text


def test_a_key_of_another_request_is_refused(person: Person, shop: ShopWindow) -> None:
    key = secrets.token_hex(8)
    accepted(person, shop, Idempotency_Key=key)
    body = {"price_id": str(shop.price_id), "metadata": {"a": 1}}
    other = person.post("/api/v1/subscriptions", body, Idempotency_Key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_two_people_may_use_one_key(client: Client, person: Person, shop: ShopWindow) -> None:
    key = secrets.token_hex(8)
    mine = accepted(person, shop, Idempotency_Key=key).json()["command_id"]
    assert accepted(register(client), shop, Idempotency_Key=key).json()["command_id"] != mine


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "with space", "tab\there", "кириллица".encode().decode("latin-1")]
)
def test_a_key_that_is_no_key_is_422(person: Person, shop: ShopWindow, key: str) -> None:
    answer = person.client.post(
        "/api/v1/subscriptions",
        json={"price_id": str(shop.price_id)},
        headers=[
            (b"Authorization", f"Bearer {person.access_token}".encode()),
            (b"Idempotency-Key", key.encode("latin-1")),
        ],
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["pay", "refund-requests"])
def test_where_money_moves_a_key_is_required(person: Person, path: str) -> None:
    body = {"amount_minor": 1, "reason": "x"} if path == "refund-requests" else {"method": "widget"}
    answer = person.post(f"/api/v1/invoices/{ABSENT}/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_required")


def test_waiting_in_vain_is_a_202(person: Person, shop: ShopWindow) -> None:
    answer = accepted(person, shop, Prefer="respond-async, wait=1")
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_an_operation_is_its_senders_alone(client: Client, person: Person, shop: ShopWindow) -> None:
    location = accepted(person, shop).headers["Location"]
    stranger = register(client)
    foreign, absent = stranger.get(location), stranger.get(f"/api/v1/operations/{ABSENT}")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() == absent.json()


def test_a_price_of_another_studio_is_as_good_as_absent(person: Person, other_shop: ShopWindow) -> None:
    for price_id in (str(other_shop.price_id), ABSENT):
        answer = person.post("/api/v1/subscriptions", {"price_id": price_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class BrokenPublisher:
    """A bus that takes nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def publish(self, _envelopes: list[Envelope]) -> None:
        self.calls += 1
        raise BusAway

    def close(self) -> None:
        pass


def test_commands_are_accepted_while_the_bus_is_away(
    settings: ApiSettings, client: Client, person: Person, shop: ShopWindow
) -> None:
    publisher = BrokenPublisher()
    with serving(create_app(settings, publisher)) as address, Client(base_url=address) as other:
        other.headers["Host"] = shop.host
        for _ in range(3):
            person.client = other
            accepted(person, shop)
        assert other.get("/healthz/ready").json()["bus"] == "away"
    assert publisher.calls == 1, "nobody tries again at once"
