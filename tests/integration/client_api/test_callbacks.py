"""Callbacks: what the provider signed is stored once and answered; everything else changes nothing."""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from httpx import Client
from prometheus_client import REGISTRY

from client_api.app import create_app
from runtime.settings import ApiSettings
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.notices import new_transaction_id, notify, pay_fields, send, sign
from tests.integration.client_api.people import Person, paying, register, subscribed
from tests.integration.client_api.serving import serving
from tests.integration.client_api.test_commands import BrokenPublisher

Ask = Callable[..., list[tuple[Any, ...]]]

HEARD = {"code": 0}


@pytest.fixture(scope="module")
def payer(client: Client, consumer: None) -> Person:
    return register(client)


@pytest.fixture
def attempt(payer: Person, shop: ShopWindow) -> dict[str, Any]:
    return paying(payer, subscribed(payer, shop.price_id)["latest_invoice_id"])


def stored(storage: Ask, shop: ShopWindow) -> tuple[Any, ...]:
    (row,) = storage(
        "SELECT count(*), (SELECT count(*) FROM command_journal WHERE studio_id = %s"
        " AND principal LIKE 'callback:%%') FROM callback_inbox WHERE provider_account_id = %s",
        shop.studio_id,
        shop.account_id,
    )
    return row


def command_of(storage: Ask, transaction_id: str) -> dict[str, Any]:
    ((body,),) = storage(
        "SELECT convert_from(body, 'UTF8')::jsonb FROM command_journal WHERE principal LIKE 'callback:%%'"
        " AND convert_from(body, 'UTF8')::jsonb ->> %s = %s",
        "transaction_id",
        transaction_id,
    )
    return dict(body)


def test_a_pay_is_stored_with_its_command_in_the_attempts_partition(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    fields = pay_fields(attempt, payer.customer_id)
    assert notify(client, shop, "pay", fields).json() == HEARD
    command = command_of(storage, fields["TransactionId"])
    assert command["attempt_id"] == attempt["id"]
    assert command["invoice_id"] == attempt["invoice_id"]
    assert command["customer_id"] == str(payer.customer_id)
    assert (command["outcome"], command["amount_minor"], command["currency"]) == ("succeeded", 149_000, "RUB")


def test_a_replayed_or_reencoded_pay_is_heard_and_stored_once(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    fields = pay_fields(attempt, payer.customer_id)
    assert notify(client, shop, "pay", fields).json() == HEARD
    before = stored(storage, shop)
    for again in (fields, dict(reversed(fields.items())), {**fields, "Amount": "1490.0"}):
        assert notify(client, shop, "pay", again).json() == HEARD
    assert stored(storage, shop) == before


def test_money_for_an_order_we_do_not_have_is_recorded_without_ids(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    for reference in ("", "x", "{" + attempt["id"] + "}", "018f0000-0000-7000-8000-000000000000"):
        fields = pay_fields(attempt, payer.customer_id, InvoiceId=reference)
        assert notify(client, shop, "pay", fields).json() == HEARD
        command = command_of(storage, fields["TransactionId"])
        assert [command[name] for name in ("attempt_id", "invoice_id", "customer_id")] == [None] * 3
        assert command["payment_id"] is not None


def test_a_decline_is_recorded_with_its_code(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    fields = pay_fields(attempt, payer.customer_id, Reason="InsufficientFunds", ReasonCode="5051")
    assert notify(client, shop, "fail", fields).json() == HEARD
    command = command_of(storage, fields["TransactionId"])
    assert (command["outcome"], command["decline_code"], command["decline_category"]) == (
        "declined",
        "5051",
        "soft",
    )
    assert command["amount_minor"] is None


def test_a_refund_from_the_cabinet_gets_an_id_of_its_own(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    refund_id, payment_id = new_transaction_id(), new_transaction_id()
    fields = {
        "TransactionId": refund_id,
        "PaymentTransactionId": payment_id,
        "Amount": "10.00",
        "OperationType": "Refund",
        "InvoiceId": attempt["id"],
        "AccountId": str(payer.customer_id),
    }
    assert notify(client, shop, "refund", fields).json() == HEARD
    assert notify(client, shop, "refund", fields).json() == HEARD
    rows = storage(
        "SELECT convert_from(body, 'UTF8')::jsonb FROM command_journal WHERE kind = 'RecordRefundOutcome'"
        " AND convert_from(body, 'UTF8')::jsonb ->> 'provider_refund_id' = %s",
        refund_id,
    )
    ((command,),) = rows
    assert command["payment_transaction_id"] == payment_id
    assert command["payment_id"] is None
    assert UUID(command["refund_id"])


def test_test_money_is_set_aside_on_a_live_account_and_the_other_way_round(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    fields = pay_fields(attempt, payer.customer_id, TestMode="0")
    _, commands = stored(storage, shop)
    assert notify(client, shop, "pay", fields).json() == HEARD
    assert stored(storage, shop)[1] == commands
    assert storage(
        "SELECT count(*) > 0 FROM callback_inbox WHERE provider_account_id = %s AND set_aside = 'test_mode'",
        shop.account_id,
    ) == [(True,)]
    assert notify(client, shop, "check", fields).json() == {"code": 13}


FORGERIES: dict[str, Callable[[ShopWindow, ShopWindow, bytes], tuple[bytes, str | None]]] = {
    "none": lambda shop, other, body: (body, None),
    "empty": lambda shop, other, body: (body, ""),
    "wrong key": lambda shop, other, body: (body, sign("guess", body)),
    "other studio's key": lambda shop, other, body: (body, sign(other.secret, body)),
    "truncated body": lambda shop, other, body: (body[:-1], sign(shop.secret, body)),
    "longer body": lambda shop, other, body: (body + b"&x=1", sign(shop.secret, body)),
    "re-encoded body": lambda shop, other, body: (body.replace(b"-", b"%2D"), sign(shop.secret, body)),
    "other amount": lambda shop, other, body: (body.replace(b"1490.00", b"1.00"), sign(shop.secret, body)),
    "truncated signature": lambda shop, other, body: (body, sign(shop.secret, body)[:-2]),
    "no text": lambda shop, other, body: (body, "é" * 44),
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("kind", ["check", "pay", "fail", "refund"])
def test_a_forged_callback_is_refused_and_counted(
    client: Client, shop: ShopWindow, other_shop: ShopWindow, storage: Ask, name: str, kind: str
) -> None:
    fields = {
        "TransactionId": new_transaction_id(),
        "Amount": "1490.00",
        "Currency": "RUB",
        "Status": "Completed",
    }
    body, signature = FORGERIES[name](shop, other_shop, urlencode({**fields, "InvoiceId": "a-b"}).encode())
    before, counted = stored(storage, shop), _failures()
    answer = client.post(
        f"/callbacks/cloudpayments/{shop.account_id}/{kind}",
        content=body,
        headers=[
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            *([(b"Content-HMAC", signature.encode("latin-1"))] if signature is not None else []),
        ],
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert stored(storage, shop) == before
    assert _failures() == counted + 1


def _failures() -> float:
    return (
        REGISTRY.get_sample_value("billbus_callback_signature_failures_total", {"provider": "cloudpayments"})
        or 0.0
    )


@pytest.mark.parametrize(
    "change",
    [
        {"Amount": "-1"},
        {"Amount": "1e3"},
        {"Amount": "0"},
        {"Amount": "999999999999.99"},
        {"Currency": "JPY"},
        {"TransactionId": "abc"},
        {"AccountId": "\x00"},
    ],
    ids=str,
)
def test_a_signed_callback_that_cannot_be_read_is_422_and_changes_nothing(
    client: Client,
    shop: ShopWindow,
    payer: Person,
    attempt: dict[str, Any],
    storage: Ask,
    change: dict[str, str],
) -> None:
    before = stored(storage, shop)
    answer = notify(client, shop, "pay", {**pay_fields(attempt, payer.customer_id), **change})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_callback")
    assert stored(storage, shop) == before


def test_an_unknown_account_type_or_size_is_refused(client: Client, shop: ShopWindow) -> None:
    path = "/callbacks/cloudpayments"
    assert client.post(f"{path}/018f0000-0000-7000-8000-000000000000/pay").status_code == 404
    assert client.post(f"{path}/{shop.account_id}/chargeback").status_code == 422
    assert client.post(f"{path}/{shop.account_id}/pay", content=b"x" * 70_000).status_code == 413


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"InvoiceId": "018f0000-0000-7000-8000-000000000000"}, 10),
        ({"InvoiceId": ""}, 10),
        ({"AccountId": "somebody"}, 11),
        ({"Amount": "1489.99"}, 12),
        ({"Currency": "USD"}, 12),
        ({}, 0),
    ],
    ids=str,
)
def test_check_refuses_before_money_moves(
    client: Client,
    shop: ShopWindow,
    payer: Person,
    attempt: dict[str, Any],
    change: dict[str, str],
    code: int,
) -> None:
    answer = notify(client, shop, "check", {**pay_fields(attempt, payer.customer_id), **change})
    assert answer.json() == {"code": code}


def test_check_refuses_a_canceled_subscriptions_invoice(
    client: Client, shop: ShopWindow, payer: Person
) -> None:
    subscription = subscribed(payer, shop.price_id)
    attempt = paying(payer, subscription["latest_invoice_id"])
    payer.post(f"/api/v1/subscriptions/{subscription['id']}/cancel", Prefer="wait=15")
    fields = pay_fields(attempt, payer.customer_id)
    assert notify(client, shop, "check", fields).json() == {"code": 13}


def test_check_refuses_another_shops_account(
    client: Client, shop: ShopWindow, other_shop: ShopWindow, payer: Person, attempt: dict[str, Any]
) -> None:
    assert notify(client, other_shop, "check", pay_fields(attempt, payer.customer_id)).json() == {"code": 10}


def test_callbacks_are_heard_while_the_bus_is_away(
    settings: ApiSettings, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    fields = pay_fields(attempt, payer.customer_id)
    with serving(create_app(settings, BrokenPublisher())) as address, Client(base_url=address) as other:
        assert notify(other, shop, "pay", fields).json() == HEARD
    assert command_of(storage, fields["TransactionId"])["attempt_id"] == attempt["id"]


def test_a_json_callback_is_read_as_a_form_is(
    client: Client, shop: ShopWindow, payer: Person, attempt: dict[str, Any], storage: Ask
) -> None:
    transaction_id = secrets.randbelow(10**12) + 1
    body = (
        b'{"TransactionId":%d,"Amount":1490.00,"Currency":"RUB","InvoiceId":"%s","AccountId":"%s",'
        b'"Status":"Completed","TestMode":true}'
        % (transaction_id, attempt["id"].encode(), str(payer.customer_id).encode())
    )
    answer = send(client, shop, "pay", body, sign(shop.secret, body), **{"Content-Type": "application/json"})
    assert answer.json() == HEARD
    assert command_of(storage, str(transaction_id))["attempt_id"] == attempt["id"]
