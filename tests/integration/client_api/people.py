"""Customers of the tests: registered over the API, signed in, able to send."""

import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from httpx import Client, Response

PASSWORD = "correct horse battery"


@dataclass
class Person:
    client: Client
    email: str
    customer_id: UUID
    access_token: str
    refresh_token: str
    host: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **more: Any) -> Response:
        return self.client.get(path, headers=self._headers({}), **more)

    def post(self, path: str, body: object = None, /, **headers: str) -> Response:
        """Header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.client.post(path, headers=self._headers(named))
        return self.client.post(path, headers=self._headers(named), json=body)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        host = {"Host": self.host} if self.host else {}
        return {"Authorization": f"Bearer {self.access_token}", **host, **self.headers, **more}


def register(client: Client, host: str | None = None) -> Person:
    email = f"{secrets.token_hex(6)}@example.org"
    answer = client.post(
        "/api/v1/auth/register",
        json={"email": email, "password": PASSWORD, "name": "Anna"},
        headers={"Host": host} if host else {},
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return Person(
        client, email, UUID(body["customer"]["id"]), body["access_token"], body["refresh_token"], host
    )


def subscribed(person: Person, price_id: UUID) -> dict[str, Any]:
    """The applied subscription's view; needs the `consumer` fixture."""
    answer = person.post("/api/v1/subscriptions", {"price_id": str(price_id)}, Prefer="wait=15")
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


def paying(person: Person, invoice_id: str, key: str | None = None, **more: str) -> dict[str, Any]:
    """The applied attempt's view; needs the `consumer` fixture."""
    answer = person.post(
        f"/api/v1/invoices/{invoice_id}/pay",
        {"provider": "cloudpayments", "method": "widget", **more},
        Prefer="wait=15",
        Idempotency_Key=key or secrets.token_hex(8),
    )
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view
