"""A customer as an ordinary client of the API: sends a command under one key until it is answered.

Used by the stories. It knows HTTP only: our API's and the twin's page.
"""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from bus.messages import CreateSubscription
from tests.crash.stack import REQUEST_SECONDS_MAX, Stack
from tests.crash.studio import HOST

Json = dict[str, Any]

ANSWER_SECONDS_MAX = 40.0
API = "/api/v1"


@dataclass
class Customer:
    """Registered and signed in. `keys` are those of all commands sent so far."""

    stack: Stack
    customer_id: str
    http: httpx.Client = field(repr=False)
    keys: list[str] = field(default_factory=list)

    def get(self, path: str) -> Json:
        """Asks until there is an answer."""
        answer = self._ask_until_answered("GET", path, None, {})
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def ask(self, path: str, body: Mapping[str, object]) -> Json:
        """Asks until there is an answer, by a POST that is no command."""
        answer = self._ask_until_answered("POST", path, body, {})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def send(self, path: str, body: Mapping[str, object] | None, key: str) -> httpx.Response:
        """The first answer to a command: it is accepted. Sent again with its key, it is the same one."""
        if key not in self.keys:
            self.keys.append(key)
        return self._ask_until_answered("POST", path, body, {"Idempotency-Key": key})

    def command(self, path: str, body: Mapping[str, object] | None) -> Json:
        """The resource, once the command is applied. Raises AssertionError if it is not."""
        key = uuid.uuid4().hex
        answer = self.send(path, body, key)
        if answer.status_code == 202:
            location = answer.headers["Location"]
            self.stack.until(
                lambda: True if self.get(location)["state"] != "accepted" else None,
                f"an answer to {path}",
                ANSWER_SECONDS_MAX,
            )
            answer = self.send(path, body, key)
        assert answer.status_code in (200, 201), f"{path}: {answer.status_code} {answer.text}"
        view: Json = answer.json()
        return view

    def _ask_until_answered(
        self, method: str, path: str, body: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        url = f"{API}{path.removeprefix(API)}"

        def ask() -> httpx.Response | None:
            try:
                answer = self.http.request(method, url, json=body, headers=headers)
            except httpx.TransportError:
                return None
            assert answer.status_code != 500, f"{method} {path}: {answer.text}"
            return answer if answer.status_code < 500 else None

        return self.stack.until(ask, f"{method} {path}", ANSWER_SECONDS_MAX)


def register(stack: Stack) -> Customer:
    """A new customer of the stack's studio."""
    http = httpx.Client(
        base_url=stack.api_url, headers={"Host": HOST}, timeout=REQUEST_SECONDS_MAX, trust_env=False
    )

    def ask() -> httpx.Response | None:
        """Registering has no key: whoever was not answered comes again under another address."""
        email, password = f"{secrets.token_hex(8)}@example.org", secrets.token_hex(8)
        try:
            answer = http.post(
                f"{API}/auth/register", json={"email": email, "password": password, "name": "Anna"}
            )
        except httpx.TransportError:
            return None
        return None if answer.status_code == 503 else answer

    answer = stack.until(ask, "a registration", ANSWER_SECONDS_MAX)
    assert answer.status_code == 201, answer.text
    http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return Customer(stack, answer.json()["customer"]["id"], http)


def register_with(stack: Stack, consumer: str) -> Customer:
    """A customer whose commands are this consumer's own."""
    while True:
        customer = register(stack)
        if stack.owner_of(_partition_of(customer)) == consumer:
            return customer
        customer.http.close()


def _partition_of(customer: Customer) -> int:
    wish = CreateSubscription(
        studio_id=customer.stack.studio.studio_id,
        customer_id=uuid.UUID(customer.customer_id),
        subscription_id=uuid.uuid4(),
        invoice_id=uuid.uuid4(),
        price_id=customer.stack.studio.price_id,
    )
    return wish.partition
