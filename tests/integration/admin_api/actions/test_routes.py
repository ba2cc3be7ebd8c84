"""The routes of actions over HTTP: what bodies they take, when they need a key, and what they answer."""

from collections.abc import Callable
from uuid import UUID

import pytest
from httpx import Client, Response

from admin_api.actions.action import Action
from admin_api.actions.registry import ACTIONS
from admin_api.permissions import PERMISSIONS
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.admin_api.conftest import Office
from tests.integration.state_updater.shops import PRICE_MINOR

SignIn = Callable[..., Client]


@pytest.fixture
def client(sign_in: SignIn, own_office: Office) -> Client:
    return sign_in("manager", own_office)


def faults(answer: Response) -> set[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return {(error["at"], error["fault"]) for error in answer.json()["errors"]}


def test_command_is_accepted_and_where_to_ask_is_told(client: Client, manager: Clerk) -> None:
    _, invoice_id = manager.shop.subscribe()
    again = {"Idempotency-Key": "once"}
    answers = [
        client.post(f"/invoices/{invoice_id}/void", json={"reason": "Ошибка"}, headers=again)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    command_id = answers[0].json()["command_id"]
    assert answers[0].headers["location"] == f"/admin/api/v1/operations/{command_id}"
    assert manager.apply(UUID(command_id)).state == "applied"
    applied = client.post(f"/invoices/{invoice_id}/void", json={"reason": "Ошибка"}, headers=again)
    assert (applied.status_code, applied.json()["state"]) == (200, "applied")


@pytest.mark.parametrize(
    "crafted", [{"state": "paid"}, {"paid_minor": 1}, {"version": 7}, {"studio_id": "x"}]
)
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_crafted_column_is_not_understood_anywhere(
    sign_in: SignIn, office: Office, crafted: dict[str, object], action: Action
) -> None:
    role = sorted(PERMISSIONS[action.permission])[0]
    path = action.path.replace("{subject_id}", str(office.shop.customer_id))
    answer = sign_in(role, office).post(path, json=crafted, headers={"Idempotency-Key": "crafted"})
    assert ("body", "extra_forbidden") in faults(answer)


@pytest.mark.parametrize(
    ("amount", "fault"),
    [
        ("0", "greater_than"),
        ("-1", "greater_than"),
        ("1490.5", "int_type"),
        ("149000.0", "int_type"),
        ('"149000"', "int_type"),
        ("1000000000001", "less_than_equal"),
        ("true", "int_type"),
    ],
)
def test_price_that_is_no_sum_in_kopecks_is_not_understood(
    client: Client, own_office: Office, amount: str, fault: str
) -> None:
    answer = client.post(
        f"/plans/{own_office.shop.plan_id}/prices",
        content=f'{{"amount_minor": {amount}, "effective_from": "2999-01-01"}}',
        headers={"Content-Type": "application/json"},
    )
    assert faults(answer) == {("body.amount_minor", fault)}


def test_price_is_set_and_the_same_day_is_taken_then(client: Client, own_office: Office) -> None:
    path = f"/plans/{own_office.shop.plan_id}/prices"
    today = own_office.shop.one("SELECT CAST(now() AT TIME ZONE 'Europe/Moscow' AS date) + 7")
    wish = {"amount_minor": 1, "effective_from": today.isoformat()}
    made = client.post(path, json=wish)
    assert (made.status_code, made.json()["operation_id"]) == (200, None)
    assert own_office.shop.one("SELECT amount_minor FROM price WHERE id = :id", id=made.json()["id"]) == 1
    taken = client.post(path, json=wish | {"amount_minor": 2})
    assert (taken.status_code, taken.json()["code"]) == (409, "price_date_taken")


def test_where_money_moves_the_request_must_be_named(client: Client, manager: Clerk) -> None:
    paid = manager.shop.pay()
    wish = {"amount_minor": PRICE_MINOR, "reason": "всё"}
    unnamed = client.post(f"/invoices/{paid.invoice_id}/refunds", json=wish)
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "idempotency_key_required")
    named = client.post(f"/invoices/{paid.invoice_id}/refunds", json=wish, headers={"Idempotency-Key": "a"})
    assert named.status_code == 202


def test_button_without_fields_takes_no_body_or_an_empty_one(client: Client, manager: Clerk) -> None:
    subscription_id, _ = manager.shop.subscribe()
    path = f"/subscriptions/{subscription_id}/cancel"
    assert client.post(path).status_code == 202
    assert client.post(path, json={}).status_code == 202


def test_new_thing_is_told_with_its_id(client: Client, own_office: Office) -> None:
    made = client.post("/customers", json={"name": "Anna", "email": "a@example.org"})
    assert made.status_code == 201
    assert own_office.shop.one("SELECT name FROM customer WHERE id = :id", id=made.json()["id"]) == "Anna"


def test_id_of_another_studio_or_of_nothing_is_not_there(client: Client, stranger: Clerk) -> None:
    _, foreign = stranger.shop.subscribe()
    for invoice_id in (foreign, stranger.shop.customer_id):
        answer = client.post(f"/invoices/{invoice_id}/void", json={"reason": "Чужой"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.post("/invoices/1%20OR%201=1/void", json={"reason": "x"}).status_code == 422
    assert client.post(f"/invoices/{foreign},{foreign}/void", json={"reason": "x"}).status_code == 422


def test_every_route_is_documented_by_its_actions_name(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for action in ACTIONS.values():
        entry = paths[f"/admin/api/v1{action.path}"]["post"]
        assert entry["operationId"] == action.name
        assert entry["summary"]
        assert {"401", "403", "404", "409", "422"} <= entry["responses"].keys()
