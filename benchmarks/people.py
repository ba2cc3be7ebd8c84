"""Customers who have signed in at a running client API, as its clients do it.

Called by the benchmarks that send requests.
"""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from benchmarks.subjects import Subject
from runtime.ports import LOOPBACK

ANSWER_SECONDS_MAX = 30.0
# Every customer is of this studio.
STUDIO = Subject(0)
HOST = "studio-0.example.org"


@dataclass(frozen=True, slots=True)
class Person:
    customer_id: UUID
    access_token: str = field(repr=False)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


def register(port: int, count: int) -> list[Person]:
    """New customers of STUDIO, with tokens for ten minutes. Raises httpx.HTTPError."""
    with httpx.Client(
        base_url=f"http://{LOOPBACK}:{port}", headers={"Host": HOST}, timeout=ANSWER_SECONDS_MAX
    ) as client:
        return [_register_one(client) for _ in range(count)]


def _register_one(client: httpx.Client) -> Person:
    sent = {
        "email": f"{secrets.token_hex(6)}@example.org",
        "password": secrets.token_hex(10),
        "name": "Customer",
    }
    answer = client.post("/api/v1/auth/register", json=sent).raise_for_status().json()
    return Person(UUID(answer["customer"]["id"]), answer["access_token"])
