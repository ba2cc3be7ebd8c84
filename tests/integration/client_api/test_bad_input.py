"""What is not a request we understand: a clear problem, never a 500, never an echo."""

import secrets
from typing import Any

import pytest
from httpx import Client, Response

from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.people import Person
from web.edge import BODY_LIMIT_BYTES

JSON = {"Content-Type": "application/json"}


def is_problem(answer: Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:billbus:problem:{code}")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"email": "a@example.org", "email": "b@example.org", "password": "12345678"}',
        b'{"email": "a@example.org", "password": "1234\\u00005678"}',
        b'{"email": "a@example.org", "password": "1234\\ud8005678"}',
        b'{"email": "a@example.org", "password": NaN}',
        b'{"email": "a@example.org", "password": 1e999}',
        b'{"email": "a@example.org", "password": ' + b"9" * 5_000 + b"}",
        b'{"email": "a@example.org", "password": "12345678", "extra": 1}',
        b"[" * 30_000,
        b'{"email": ' + b"[" * 20 + b"]" * 20 + b"}",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_a_body_that_is_not_strict_json_of_the_right_shape_is_422(client: Client, body: bytes) -> None:
    answer = client.post("/api/v1/auth/login", content=body, headers=JSON)
    is_problem(answer, 422, "invalid_request")
    assert "a@example.org" not in answer.text


def test_a_body_over_the_limit_is_413_whether_its_length_is_told_or_not(client: Client) -> None:
    body = b" " * (BODY_LIMIT_BYTES + 1)
    is_problem(client.post("/api/v1/auth/login", content=body, headers=JSON), 413, "body_too_large")
    pieces = (b" " * 1_000 for _ in range(100))
    is_problem(client.post("/api/v1/auth/login", content=pieces, headers=JSON), 413, "body_too_large")


def test_a_body_of_another_type_is_415(client: Client) -> None:
    answer = client.post("/api/v1/auth/login", content=b"a=b", headers={"Content-Type": "text/plain"})
    is_problem(answer, 415, "unsupported_media_type")


def test_the_frameworks_own_errors_are_problems_too(client: Client) -> None:
    is_problem(client.get("/nowhere"), 404, "not_found")
    is_problem(client.delete("/api/v1/plans"), 405, "method_not_allowed")
    is_problem(client.get("/static/../app.py"), 404, "not_found")


@pytest.mark.parametrize("host", ["unknown.example.org", "a" * 300, "x y", "[::1]:80", "'; --", "a:b:c"])
def test_a_host_that_no_studio_has_is_404(client: Client, host: str) -> None:
    is_problem(client.get("/api/v1/plans", headers={"Host": host}), 404, "unknown_host")


def test_the_port_and_the_case_of_the_host_do_not_matter(client: Client, shop: ShopWindow) -> None:
    answer = client.get("/api/v1/plans", headers={"Host": f"{shop.host.upper()}:8443"})
    assert answer.json()["items"][0]["prices"][0]["id"] == str(shop.price_id)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=" + "9" * 5_000,
        "limit=1&limit=2",
        "cursor=x",
        "unknown=1",
        "state=paid",
        "state=%00",
        "state=%ff",
    ],
    ids=lambda query: query[:20],
)
def test_a_query_that_is_not_declared_is_422(person: Person, query: str) -> None:
    is_problem(person.get(f"/api/v1/subscriptions?{query}"), 422, "invalid_request")


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": -1},
        {"amount_minor": 0},
        {"amount_minor": 10**18},
        {"amount_minor": 10**400},
        {"amount_minor": 10.0},
        {"amount_minor": "10"},
        {"amount_minor": True},
        {"amount_minor": None},
        {"reason": ""},
        {"reason": "x" * 501},
        {"state": "succeeded"},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_wrong_amount_or_field_is_422(person: Person, change: dict[str, Any]) -> None:
    answer = person.post(
        f"/api/v1/invoices/{secrets.token_hex(16)}/refund-requests",
        {"amount_minor": 100, "reason": "x", **change},
        Idempotency_Key="k1",
    )
    is_problem(answer, 422, "invalid_request")


def test_ids_that_are_no_ids_are_422_and_absent_ones_404(person: Person) -> None:
    is_problem(person.get("/api/v1/invoices/not-an-id"), 422, "invalid_request")
    is_problem(person.get("/api/v1/invoices/%00"), 422, "invalid_request")
    is_problem(person.get("/api/v1/invoices/018f0000-0000-7000-8000-000000000000"), 404, "not_found")


@pytest.mark.parametrize("given", ["abcdef12", "A-b_c.d9"])
def test_a_safe_correlation_id_is_kept(client: Client, given: str) -> None:
    assert client.get("/api/v1/plans", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "spaced out", '{"a":1}x'])
def test_another_correlation_id_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/api/v1/plans", headers={"X-Request-ID": given})
    assert len(answer.headers["X-Request-ID"]) == 32


def test_answers_carry_headers_that_browsers_obey(client: Client) -> None:
    headers = client.get("/api/v1/plans").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"
    assert "server" not in headers


def test_requests_are_counted_by_route_never_by_path(client: Client, person: Person) -> None:
    person.get("/api/v1/invoices/018f0000-0000-7000-8000-000000000000")
    text = client.get("/metrics").text
    assert 'route="/api/v1/invoices/{invoice_id}",status="404"' in text
    assert "018f0000" not in text
