"""`python -m benchmarks.contested`: many clients try for overlapping times of one hall, over HTTP, at once.

Three races on one database, with RabbitMQ, two processes of the client API and two consumers: each client in
a hall of its own, all for the same 200 times, and all while processes are killed and started. Who loses
a connection sends again under the same key. It prints what it saw and, on its last line, one JSON object.
docs/performance.md tells what is compared and how far to trust it.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import httpx
import psycopg
import uvloop

from benchmarks.ground import Ground, private_ground
from benchmarks.halls import make_halls
from benchmarks.load import Connection, write_request
from benchmarks.people import HOST, Person, register
from benchmarks.workers import Crew, Place
from kit.ids import new_id
from runtime.ports import LOOPBACK
from storage.database import create_role_engine
from storage.verification import ROLE as VERIFY_ROLE
from storage.verification import verify

CLIENT_COUNT = 64
TRIES_EACH = 20
SLOT_COUNT = 200
QUICK_CLIENT_COUNT, QUICK_TRIES_EACH = 4, 3
STEP = timedelta(minutes=15)
# Each time overlaps many others: they begin every quarter of an hour and last one to three hours.
MINUTES: Final = (60, 90, 120, 180)
KILL_EVERY_SECONDS = 3.0
TRY_SECONDS_MAX = 60.0
RETRY_SECONDS = 0.05
HELD, TAKEN = 201, 409
_TAKEN_CODE = "slot_taken"
_SEED = 20_260_101

Slot = tuple[datetime, datetime]

_OVERLAPS = """
    SELECT count(*) FROM occupancy a JOIN occupancy b ON b.hall_id = a.hall_id AND b.id > a.id
        AND b.during && a.during AND a.released_at IS NULL AND b.released_at IS NULL
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Race:
    """Milliseconds until the final answer, by its status; every status that was seen on the way."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def p99(self, status: int) -> float:
        times = sorted(self.milliseconds.get(status, ()))
        return round(times[int(0.99 * (len(times) - 1))], 1) if times else 0.0

    def count(self, status: int) -> int:
        return len(self.milliseconds.get(status, ()))

    @property
    def faults(self) -> int:
        """Answers that told a client of a fault of ours: a deadlock would be one."""
        return sum(count for status, count in self.statuses.items() if status >= 500)


def overlapping_slots(day: datetime) -> list[Slot]:
    """SLOT_COUNT times within some two days, each overlapping others."""
    starts = (day + number * STEP for number in range(SLOT_COUNT))
    return [(at, at + timedelta(minutes=MINUTES[n % len(MINUTES)])) for n, at in enumerate(starts)]


def separate_slots(day: datetime, count: int) -> list[Slot]:
    """`count` times of an hour, one after another."""
    return [(day + n * timedelta(hours=1), day + (n + 1) * timedelta(hours=1)) for n in range(count)]


async def take_quotes(port: int, person: Person, hall_id: UUID, slots: Sequence[Slot]) -> list[str]:
    """What each time would cost `person`. Raises httpx.HTTPError."""
    quotes = []
    headers = {"Host": HOST, **person.authorization}
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", headers=headers, timeout=30) as client:
        for starts_at, ends_at in slots:
            wanted = {
                "hall_id": str(hall_id),
                "starts_at": starts_at.isoformat(),
                "ends_at": ends_at.isoformat(),
                "people": 2,
                "extras": [],
            }
            answer = await client.post("/api/v1/quotes", json=wanted)
            quotes.append(answer.raise_for_status().json()["quote"])
    return quotes


class Runner:
    """One client: tries its quotes one after another, each until it has an answer that stays."""

    def __init__(self, race: Race, ports: Sequence[int], person: Person, quotes: Sequence[str]) -> None:
        self._race = race
        self._ports = ports
        self._person = person
        self._quotes = quotes
        self._connection: Connection | None = None

    async def run(self) -> None:
        for quote in self._quotes:
            request = self._request(quote)
            began_at = time.perf_counter()
            status = await asyncio.wait_for(self._insist(request), TRY_SECONDS_MAX)
            taken_ms = (time.perf_counter() - began_at) * 1_000
            self._race.milliseconds.setdefault(status, []).append(taken_ms)

    def _request(self, quote: str) -> bytes:
        headers = {**self._person.authorization, "Idempotency-Key": new_id().hex, "Prefer": "wait=10"}
        return write_request("POST", HOST, "/api/v1/bookings", headers, json.dumps({"quote": quote})).encode()

    async def _insist(self, request: bytes) -> int:
        """Sends the same request until the command behind it is applied or refused.

        Raises RuntimeError when it is refused for anything else than that the time is taken.
        """
        while True:
            try:
                answer = await (await self._connected()).exchange(request)
            except OSError:
                self._connection = None
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._race.statuses[answer.status] += 1
            if answer.status == TAKEN and (code := json.loads(answer.body)["code"]) != _TAKEN_CODE:
                raise RuntimeError(f"refused as {code}, which says nothing of the hall")
            if answer.status in (HELD, TAKEN):
                return answer.status
            await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed:
            port = random.choice(self._ports)
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(Connection, LOOPBACK, port)
        return self._connection


async def run_race(ports: Sequence[int], people: Sequence[Person], quotes: Sequence[Sequence[str]]) -> Race:
    race = Race()
    runners = [Runner(race, ports, *pair) for pair in zip(people, quotes, strict=True)]
    await asyncio.gather(*(runner.run() for runner in runners))
    return race


async def run_race_with_kills(
    crew: Crew, people: Sequence[Person], quotes: Sequence[Sequence[str]]
) -> tuple[Race, int]:
    """The race, and how many processes were killed meanwhile."""
    racing = asyncio.ensure_future(run_race(crew.ports, people, quotes))
    chance, killed = random.Random(_SEED), 0
    while not racing.done():
        await asyncio.wait([racing], timeout=KILL_EVERY_SECONDS)
        if not racing.done():
            await asyncio.to_thread(crew.kill_and_start, chance.choice(crew.names))
            killed += 1
    return await racing, killed


def measure(ground: Ground, client_count: int, tries_each: int) -> dict[str, object]:
    """What the three races were. Raises RuntimeError unless the books verify at the end."""
    url = ground.make_database("contested")
    hall_ids = make_halls(url, client_count + 2)
    quiet, contested, stormy = hall_ids[2:], hall_ids[0], hall_ids[1]
    place = Place(url, ground.amqp_url, ground.directory)
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
    with place.crew({"client_api": 2, "billing_consumer": 2, "state_updater": 1}) as crew:
        people = register(crew.ports[0], client_count)
        lone = uvloop.run(_race_alone(crew, people, quiet, separate_slots(day, tries_each)))
        _tell("each in a hall of its own", lone)
        met, _ = uvloop.run(_race_for_one(crew, people, contested, day, tries_each, kill=False))
        _tell("all for one hall", met)
        storm, killed = uvloop.run(_race_for_one(crew, people, stormy, day, tries_each, kill=True))
        _tell(f"all for one hall, {killed} processes killed", storm)
    return {**_found(url), **_summary(lone, met, storm, killed)}


async def _race_alone(
    crew: Crew, people: Sequence[Person], halls: Sequence[UUID], slots: Sequence[Slot]
) -> Race:
    quotes = [
        await take_quotes(crew.ports[0], person, hall, slots)
        for person, hall in zip(people, halls, strict=True)
    ]
    return await run_race(crew.ports, people, quotes)


async def _race_for_one(
    crew: Crew, people: Sequence[Person], hall_id: UUID, day: datetime, tries_each: int, *, kill: bool
) -> tuple[Race, int]:
    chance, slots = random.Random(_SEED), overlapping_slots(day)
    quotes = [
        await take_quotes(crew.ports[0], person, hall_id, chance.sample(slots, tries_each))
        for person in people
    ]
    if kill:
        return await run_race_with_kills(crew, people, quotes)
    return await run_race(crew.ports, people, quotes), 0


def _tell(name: str, race: Race) -> None:
    print(
        f"  {name:44} {race.count(HELD):5} held, p99 {race.p99(HELD):7.1f} ms; "
        f"{race.count(TAKEN):5} refused, p99 {race.p99(TAKEN):7.1f} ms; faults shown {race.faults}   "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def _found(database_url: str) -> dict[str, object]:
    """What the database says of the races. Raises RuntimeError unless its books verify."""
    with psycopg.connect(database_url) as owner:
        overlaps = owner.execute(_OVERLAPS).fetchone()
        deadlocks = owner.execute(_DEADLOCKS).fetchone()
    assert overlaps is not None
    assert deadlocks is not None
    engine = create_role_engine(database_url, VERIFY_ROLE, "benchmark")
    found = verify(engine)
    engine.dispose()
    if not found.is_clean or found.parked_count:
        raise RuntimeError(f"the books do not verify: {[check.name for check in found.violations]}")
    return {"overlaps": overlaps[0], "deadlocks_in_the_database": deadlocks[0], "books": "verified"}


def _summary(lone: Race, met: Race, storm: Race, killed: int) -> dict[str, object]:
    return {
        "deadlocks_shown": met.faults + storm.faults + lone.faults,
        "ratio_p99": round(met.p99(TAKEN) / lone.p99(HELD), 2),
        "p99_refused_ms": met.p99(TAKEN),
        "p99_uncontested_ms": lone.p99(HELD),
        "held": {"alone": lone.count(HELD), "contested": met.count(HELD), "with_kills": storm.count(HELD)},
        "refused": {"contested": met.count(TAKEN), "with_kills": storm.count(TAKEN)},
        "killed": killed,
    }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Clients that race for overlapping times of one hall.")
    parser.add_argument("--quick", action="store_true", help="a tiny race, to see that it runs")
    quick = parser.parse_args(arguments).quick
    load_before = os.getloadavg()[0]
    sizes = (QUICK_CLIENT_COUNT, QUICK_TRIES_EACH) if quick else (CLIENT_COUNT, TRIES_EACH)
    with private_ground(with_rabbit=True) as ground:
        found = measure(ground, *sizes)
    print(f"{ground.versions}; load average before: {load_before:.1f}")
    print(json.dumps(found | {"versions": ground.versions, "load_average_before": round(load_before, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
