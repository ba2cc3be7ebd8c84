"""The routes of the lists over HTTP: pages, one thing, CSV, pickers, operations, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client

from admin_api.desk import PREFIX
from admin_api.listings import LISTINGS
from kit.ids import new_id
from tests.integration.admin_api.listings.conftest import Past

SignIn = Callable[..., Client]


def get(client: Client, path: str, status: int = 200, **parameters: str) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("name", LISTINGS)
def test_list_and_each_thing_of_it_are_answered(sign_in: SignIn, served: Past, name: str) -> None:
    client = sign_in("owner", served.office)
    page = get(client, f"/{name}", limit="2")
    assert set(page) == {"items", "next_cursor", "count", "is_count_capped"}
    assert page["count"] >= len(page["items"]) >= 1
    thing = get(client, f"/{name}/{page['items'][0]['id']}")
    assert page["items"][0].items() <= thing.items()
    assert get(client, f"/{name}/{new_id()}", 404)["code"] == "not_found"
    get(client, f"/{name}/1", 422)


def test_pages_follow_their_cursor(sign_in: SignIn, served: Past) -> None:
    client = sign_in("owner", served.office)
    first = get(client, "/payments", limit="1")
    second = get(client, "/payments", limit="1", cursor=first["next_cursor"])
    assert first["items"][0]["id"] != second["items"][0]["id"]


def test_filters_search_and_sort_are_parameters(sign_in: SignIn, served: Past) -> None:
    client = sign_in("owner", served.office)
    found = get(client, "/invoices", state="open", search="zoë", sort="created_at", limit="100")
    assert str(served.open_invoice_id) in {item["id"] for item in found["items"]}
    assert {item["state"] for item in found["items"]} == {"open"}
    audit = get(client, "/audit", action="register", **{"from": "2026-01-01"})
    assert audit["items"][0]["who"]["name"] == "Zoë Quill"


@pytest.mark.parametrize(
    "query",
    [
        "sort=password_hash",
        "sort=",
        "state=lost",
        "state=open&state=paid",
        "unknown=1",
        "limit=101",
        "limit=0",
        "cursor=x",
        "search=%00",
        "search=%ED%A0%80",
        "search=" + "x" * 10_240,
        "customer=1",
        "created_from=today",
        "offset=1",
    ],
)
def test_what_a_list_cannot_mean_is_a_problem_that_repeats_nothing(
    sign_in: SignIn, served: Past, query: str
) -> None:
    answer = sign_in("owner", served.office).get(f"/invoices?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert query.partition("=")[2][:20] not in answer.text or len(query) < 12


def test_csv_is_a_file(sign_in: SignIn, served: Past) -> None:
    answer = sign_in("manager", served.office).get("/invoices.csv", params={"state": "paid"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="invoices.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbfid,number,")
    assert sign_in("support", served.office).get("/invoices.csv").status_code == 403
    assert sign_in("owner", served.office).get("/parked.csv").status_code == 404


def test_pickers_answer(sign_in: SignIn, served: Past) -> None:
    client = sign_in("support", served.office)
    found = get(client, "/look-ups/customers", term="quill")["items"]
    assert [item["id"] for item in found] == [str(served.office.shop.customer_id)]
    assert get(client, "/look-ups/prices")["items"]
    assert client.get("/look-ups/staff").status_code == 404
    get(client, "/look-ups/plans", 422, term="x" * 201)


def test_staff_sees_what_became_of_any_command_of_its_studio(
    sign_in: SignIn, served: Past, other_past: Past
) -> None:
    operation = get(sign_in("support", served.office), f"/operations/{served.parked_id}")
    assert (operation["state"], operation["kind"]) == ("parked", "VoidInvoice")
    get(sign_in("support", served.office), f"/operations/{other_past.parked_id}", 404)
    get(sign_in("support", served.office), f"/operations/{new_id()}", 404)


def test_document_tells_filters_and_sorts(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for listing in LISTINGS.values():
        told = {one["name"]: one for one in paths[f"{PREFIX}/{listing.name}"]["get"]["parameters"]}
        wanted = {one.name for one in listing.filters} | {"search", "sort", "limit", "cursor"}
        assert set(told) == wanted
        assert {name.removeprefix("-") for name in told["sort"]["schema"]["enum"]} == set(listing.sorts)
