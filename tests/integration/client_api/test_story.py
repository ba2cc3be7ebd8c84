"""The main job over HTTP: subscribe, pay, hear the provider, ask for money back, cancel."""

import json
import secrets
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest
from httpx import Client

from kit.ids import derived_id
from tests.integration.client_api.conftest import ORIGIN, ShopWindow
from tests.integration.client_api.notices import new_transaction_id, notify, pay_fields
from tests.integration.client_api.people import Person, paying, subscribed

pytestmark = pytest.mark.usefixtures("consumer")

APPLIED_SECONDS_MAX = 15.0


def until(look: Callable[[], dict[str, Any]], state: str) -> dict[str, Any]:
    """What `look` shows once it is in `state`."""
    deadline = monotonic() + APPLIED_SECONDS_MAX
    while True:
        seen = look()
        if seen["state"] == state:
            return seen
        assert monotonic() < deadline, seen
        sleep(0.05)


def paid_invoice(client: Client, person: Person, shop: ShopWindow) -> dict[str, Any]:
    subscription = subscribed(person, shop.price_id)
    attempt = paying(person, subscription["latest_invoice_id"])
    assert notify(client, shop, "pay", pay_fields(attempt, person.customer_id)).json() == {"code": 0}
    path = f"/api/v1/invoices/{subscription['latest_invoice_id']}"
    return until(lambda: person.get(path).json(), "paid")


def test_a_paid_invoice_makes_the_subscription_active(
    client: Client, person: Person, shop: ShopWindow
) -> None:
    subscription = subscribed(person, shop.price_id)
    assert (subscription["state"], subscription["allowed_actions"]) == ("incomplete", ["cancel"])
    invoice_id = subscription["latest_invoice_id"]
    attempt = paying(person, invoice_id, return_url=f"{ORIGIN}/thanks?x=1")
    assert attempt["state"] == "requires_action"
    assert attempt["widget"]["externalId"] == attempt["id"]
    assert attempt["pay_url"] == f"/pay/{attempt['id']}"

    fields = pay_fields(attempt, person.customer_id)
    assert notify(client, shop, "check", fields).json() == {"code": 0}
    assert notify(client, shop, "pay", fields).json() == {"code": 0}
    until(lambda: person.get(f"/api/v1/subscriptions/{subscription['id']}").json(), "active")
    invoice = person.get(f"/api/v1/invoices/{invoice_id}").json()
    assert invoice["state"] == "paid"
    assert invoice["due"] == {"amount_minor": 0, "currency": "RUB"}
    assert invoice["allowed_actions"] == ["request_refund"]
    steps = [(step["machine"], step["to_state"]) for step in invoice["timeline"]]
    assert {("payment", "succeeded"), ("invoice", "paid"), ("subscription", "active")} <= set(steps)
    assert person.get(f"/api/v1/payment-attempts/{attempt['id']}").json()["widget"] is None
    assert notify(client, shop, "check", {**fields, "TransactionId": "77"}).json() == {"code": 13}


def test_a_refund_request_reserves_its_sum(client: Client, person: Person, shop: ShopWindow) -> None:
    invoice = paid_invoice(client, person, shop)
    path = f"/api/v1/invoices/{invoice['id']}/refund-requests"
    body = {"amount_minor": 149_000, "reason": "Заболела"}
    key = secrets.token_hex(8)
    first = person.post(path, body, Prefer="wait=15", Idempotency_Key=key)
    again = person.post(path, body, Prefer="wait=15", Idempotency_Key=key)
    more = person.post(path, body, Prefer="wait=15", Idempotency_Key=secrets.token_hex(8))
    assert first.status_code == again.status_code == 201, first.text
    assert first.json() == again.json()
    assert first.json()["state"] == "requested"
    assert (more.status_code, more.json()["code"]) == (409, "nothing_refundable")
    assert person.get(f"/api/v1/invoices/{invoice['id']}").json()["allowed_actions"] == []


def test_what_the_provider_tells_of_a_refund_belongs_to_the_request_that_asked_for_it(
    client: Client, person: Person, shop: ShopWindow, storage: Any
) -> None:
    invoice = paid_invoice(client, person, shop)
    path = f"/api/v1/invoices/{invoice['id']}/refund-requests"
    body = {"amount_minor": 149_000, "reason": "Заболела"}
    trace, key = secrets.token_hex(16), secrets.token_hex(8)
    asked = person.post(path, body, Prefer="wait=15", Idempotency_Key=key, X_Request_ID=trace)
    told = new_transaction_id()
    fields = {
        "TransactionId": told,
        "PaymentTransactionId": new_transaction_id(),
        "Amount": "1490.00",
        "OperationType": "Refund",
        "InvoiceId": invoice["attempts"][0]["id"],
        "AccountId": str(person.customer_id),
        "Data": json.dumps({"refund_id": asked.json()["id"]}),
    }
    assert notify(client, shop, "refund", fields).json() == {"code": 0}
    ((correlation_id,),) = storage(
        "SELECT correlation_id FROM command_journal WHERE kind = 'RecordRefundOutcome'"
        " AND convert_from(body, 'UTF8')::jsonb ->> 'provider_refund_id' = %s",
        told,
    )
    assert correlation_id == trace


def test_canceling_voids_the_open_invoice(person: Person, shop: ShopWindow) -> None:
    subscription = subscribed(person, shop.price_id)
    path = f"/api/v1/subscriptions/{subscription['id']}"
    canceled = person.post(f"{path}/cancel", Prefer="wait=15")
    assert (canceled.status_code, canceled.json()["state"]) == (200, "canceled")
    invoice = person.get(f"/api/v1/invoices/{subscription['latest_invoice_id']}").json()
    assert (invoice["state"], invoice["allowed_actions"]) == ("void", [])
    refused = person.post(f"{path}/cancel", Prefer="wait=15")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition_refused")
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_canceling_at_the_end_of_the_period_keeps_what_is_paid_for(
    client: Client, person: Person, shop: ShopWindow
) -> None:
    path = f"/api/v1/subscriptions/{paid_invoice(client, person, shop)['subscription_id']}"
    before, key = person.get(path).json(), secrets.token_hex(8)
    assert before["allowed_actions"] == ["cancel", "cancel_at_period_end"]
    body = {"at_period_end": True}
    ending = person.post(f"{path}/cancel", body, Prefer="wait=15", Idempotency_Key=key)
    assert ending.status_code == 200, ending.text
    assert ending.json() == before | {"cancel_at_period_end": True, "allowed_actions": ["cancel"]}
    assert person.post(f"{path}/cancel", body, Prefer="wait=15").json() == ending.json()
    # Without the body it is another request.
    other = person.post(f"{path}/cancel", Prefer="wait=15", Idempotency_Key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    at_once = person.post(f"{path}/cancel", {"at_period_end": False}, Prefer="wait=15")
    assert (at_once.status_code, at_once.json()["state"]) == (200, "canceled")


def test_what_was_never_paid_for_cannot_be_canceled_later(person: Person, shop: ShopWindow) -> None:
    path = f"/api/v1/subscriptions/{subscribed(person, shop.price_id)['id']}/cancel"
    refused = person.post(path, {"at_period_end": True}, Prefer="wait=15")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition_refused")
    assert person.post(path, {"at_period_end": "yes"}).status_code == 422


def test_a_waiting_request_is_answered_as_soon_as_its_command_is_applied(
    person: Person, shop: ShopWindow
) -> None:
    started = monotonic()
    subscribed(person, shop.price_id)
    assert monotonic() - started < 5


def test_waiting_goes_on_when_its_connection_was_lost(person: Person, shop: ShopWindow, storage: Any) -> None:
    ended = storage(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'client_api-waiter' AND datname = current_database()"
    )
    assert ended
    subscribed(person, shop.price_id)


def test_a_second_pay_gives_the_attempt_that_is_open(person: Person, shop: ShopWindow) -> None:
    invoice_id = subscribed(person, shop.price_id)["latest_invoice_id"]
    assert paying(person, invoice_id)["id"] == paying(person, invoice_id)["id"]


def test_lists_come_in_pages_newest_first(person: Person, shop: ShopWindow) -> None:
    made = [subscribed(person, shop.price_id)["id"] for _ in range(3)]
    first = person.get("/api/v1/subscriptions?limit=2").json()
    rest = person.get(f"/api/v1/subscriptions?limit=2&cursor={first['next_cursor']}").json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert len(person.get("/api/v1/invoices").json()["items"]) == 3
    assert person.get("/api/v1/subscriptions?state=active").json()["items"] == []


def test_an_operation_tells_what_became_of_its_command(person: Person, shop: ShopWindow) -> None:
    path, key = "/api/v1/subscriptions", "the-operation"
    person.post(path, {"price_id": str(shop.price_id)}, Idempotency_Key=key)
    command_id = derived_id("command", shop.studio_id, f"customer:{person.customer_id}", "POST", path, key)
    operation = until(lambda: person.get(f"/api/v1/operations/{command_id}").json(), "applied")
    assert set(operation["result"]) >= {"subscription_id", "invoice_id"}
