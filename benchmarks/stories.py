"""A customer's way to a booked hall, over HTTP: quote, hold, check out, pay at the twin, see it confirmed.

Called by `benchmarks.bookings`. Who is to pay on site is confirmed when checked out. Each client has one
connection to the product and one to the twin, and begins its next story when the last one has ended.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote as percent_encoded
from uuid import UUID

from benchmarks.load import Answer, Connection, write_request
from benchmarks.people import HOST, Person
from kit.ids import new_id
from runtime.ports import LOOPBACK

# How often a client looks whether it is confirmed; a page asks less often.
LOOK_SECONDS = 0.1
CONFIRMED_SECONDS_MAX = 30.0
API: Final = "/api/v1"
Payment = Literal["online", "on_site"]
ONLINE: Final[Payment] = "online"
ON_SITE: Final[Payment] = "on_site"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One story: when it ended, by time.perf_counter, and the milliseconds of its stages."""

    ended_at: float
    stages_ms: Mapping[str, float]

    @property
    def whole_ms(self) -> float:
        return sum(self.stages_ms.values())


@dataclass(slots=True)
class Client:
    """A person who books one time after another in one hall; `starts` are times of nobody else."""

    payment: Payment
    person: Person
    hall_id: UUID
    starts: Iterator[datetime]
    api_port: int
    twin_port: int
    told: list[Told] = field(default_factory=list)
    _api: Connection | None = None
    _twin: Connection | None = None

    async def play_until(self, end_at: float) -> None:
        """Stories until `end_at` by time.perf_counter; the last one is played to its end.

        Raises RuntimeError for an answer that was not to be expected.
        """
        self._api = self._twin = None  # those of another event loop
        while time.perf_counter() < end_at:
            self.told.append(await self._play(next(self.starts)))

    async def _play(self, starts_at: datetime) -> Told:
        instants = [time.perf_counter()]
        stages: dict[str, float] = {}

        def note(stage: str) -> None:
            instants.append(time.perf_counter())
            stages[stage] = (instants[-1] - instants[-2]) * 1_000

        quoted = await self._post("/quotes", self._wish(starts_at), 200)
        note("quote")
        booking = await self._post("/bookings", {"quote": quoted["quote"]}, 201)
        note("hold")
        path = f"/bookings/{booking['id']}"
        booking = await self._post(f"{path}/checkout", {"payment": self.payment}, 200)
        note("check out")
        if self.payment == ONLINE:
            await self._pay(path, booking["invoice_id"], note)
        return Told(instants[-1], stages)

    async def _pay(self, path: str, invoice_id: str, note: Callable[[str], None]) -> None:
        attempt = await self._post(f"/invoices/{invoice_id}/pay", {"method": "widget"}, 200)
        note("pay")
        await self._pay_at_twin(attempt["widget"])
        note("at the provider")
        await self._see_confirmed(path)
        note("confirmed")

    def _wish(self, starts_at: datetime) -> Json:
        return {
            "hall_id": str(self.hall_id),
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
            "people": 2,
        }

    async def _post(self, path: str, body: Json, status: int) -> Json:
        headers = {**self.person.authorization, "Idempotency-Key": new_id().hex, "Prefer": "wait=10"}
        return await self._ask("POST", path, headers, status, json.dumps(body))

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], status: int, body: str = ""
    ) -> Json:
        self._api = await _connected(self._api, self.api_port)
        request = write_request(method, HOST, f"{API}{path}", headers, body)
        answer = await self._api.exchange(request.encode())
        if answer.status != status:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        found: Json = json.loads(answer.body)
        return found

    async def _pay_at_twin(self, parameters: Json) -> None:
        """What the widget does: it opens the provider's page, and the payer presses its button."""
        intent = percent_encoded(json.dumps(parameters), safe="")
        opened = await self._visit("GET", f"/widget/start?intent={intent}", 303)
        paid = await self._visit("POST", f"{opened.header(b'location').decode()}/pay", 200)
        if "Оплачено".encode() not in paid.body:
            raise RuntimeError("the twin has not taken the money")

    async def _visit(self, method: str, path: str, status: int) -> Answer:
        self._twin = await _connected(self._twin, self.twin_port)
        headers = {"Content-Length": "0"} if method == "POST" else {}
        answer = await self._twin.exchange(write_request(method, LOOPBACK, path, headers).encode())
        if answer.status != status:
            raise RuntimeError(f"the twin: {method} {path[:40]}: {answer.status} {answer.body[:300]!r}")
        return answer

    async def _see_confirmed(self, path: str) -> None:
        deadline = time.perf_counter() + CONFIRMED_SECONDS_MAX
        while (await self._ask("GET", path, self.person.authorization, 200))["state"] != "confirmed":
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{path} was paid and is not confirmed")
            await asyncio.sleep(LOOK_SECONDS)


async def _connected(connection: Connection | None, port: int) -> Connection:
    """A server may have closed what was idle for some seconds."""
    if connection is None or connection.is_closed:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, LOOPBACK, port)
    return connection


async def play(clients: Sequence[Client], seconds: float) -> None:
    """All of them at once for so long, and to the end of their last stories."""
    end_at = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as playing:
        for client in clients:
            playing.create_task(client.play_until(end_at))
