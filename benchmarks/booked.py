"""The running product with the provider's twin, measured while clients book.

Called by `benchmarks.bookings`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import uvloop

from benchmarks.costs import cpu_seconds, statement_counts
from benchmarks.ground import Ground
from benchmarks.stories import Client, Told, play
from benchmarks.workers import Crew
from storage.database import create_role_engine
from storage.verification import ROLE as VERIFY_ROLE
from storage.verification import verify

# Nobody's numbers, of the measured time and twice: connections open, statements are prepared, queues fill.
WARM_UP_PART = 0.15
QUIET_SECONDS_MAX = 60.0
POLL_SECONDS = 0.2
_WAITING = """
    SELECT 1 WHERE EXISTS (SELECT FROM command_journal WHERE state = 'accepted')
        OR EXISTS (SELECT FROM outbox WHERE published_at IS NULL)
"""
_CONFIRMED = "SELECT count(*) FROM booking WHERE state = 'confirmed'"


@dataclass(frozen=True, slots=True)
class Round:
    """The stories that ended in the measured seconds, and what one cost, by process and by role."""

    told: Sequence[Told]
    seconds: float
    cpu_ms: Mapping[str, float]
    statements: Mapping[str, float]

    @property
    def rate(self) -> float:
        return len(self.told) / self.seconds


class Measured:
    """The processes of one run, on one database."""

    def __init__(self, ground: Ground, database_url: str, crew: Crew, twin_process_id: int) -> None:
        self._url = database_url
        assert ground.postgres.process_id is not None
        assert ground.rabbit is not None
        self._process_ids = {
            **crew.process_ids,
            "twin": twin_process_id,
            "postgres": ground.postgres.process_id,
            **{f"rabbitmq {number}": each for number, each in enumerate(ground.rabbit.process_ids)},
        }

    def measure(self, clients: Sequence[Client], seconds: float) -> Round:
        """Raises RuntimeError if a story goes wrong, or the outbox stays full."""
        uvloop.run(play(clients, WARM_UP_PART * seconds))
        self._wait_until_quiet()
        with psycopg.connect(self._url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")
            owner.execute("CHECKPOINT")
        return uvloop.run(self._measure(clients, seconds))

    async def _measure(self, clients: Sequence[Client], seconds: float) -> Round:
        warm_up_seconds = WARM_UP_PART * seconds
        playing = asyncio.create_task(play(clients, warm_up_seconds + seconds))
        await asyncio.sleep(warm_up_seconds)
        began_at, before = time.perf_counter(), self._spent()
        await asyncio.wait([playing], timeout=seconds)
        ended_at, after = time.perf_counter(), self._spent()
        await playing
        told = [one for client in clients for one in client.told if began_at <= one.ended_at < ended_at]
        if not told:
            raise RuntimeError(f"no story ended within {seconds} s")
        cpu, statements = (
            {name: (now - first.get(name, 0.0)) / len(told) for name, now in last.items()}
            for first, last in zip(before, after, strict=True)
        )
        cpu_ms = {name: 1_000 * each for name, each in _by_module(cpu).items()}
        return Round(told, ended_at - began_at, cpu_ms, statements)

    def _spent(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """CPU seconds by process, ours too, and statements by role."""
        cpu = {**cpu_seconds(self._process_ids), "clients": time.process_time()}
        return cpu, statement_counts(self._url)

    def _wait_until_quiet(self) -> None:
        deadline = time.monotonic() + QUIET_SECONDS_MAX
        with psycopg.connect(self._url, autocommit=True) as owner:
            while owner.execute(_WAITING).fetchone():
                if time.monotonic() > deadline:
                    raise RuntimeError("commands or events stayed where they were")
                time.sleep(POLL_SECONDS)

    def check(self, story_count: int) -> None:
        """Every story has its booking, and the books verify at rest. Raises RuntimeError."""
        self._wait_until_quiet()
        with psycopg.connect(self._url) as owner:
            row = owner.execute(_CONFIRMED).fetchone()
        engine = create_role_engine(self._url, VERIFY_ROLE, "benchmark")
        found = verify(engine, settled=True)
        engine.dispose()
        if row != (story_count,) or not found.is_clean or found.parked_count or found.unapplied:
            raise RuntimeError(f"{story_count} stories, {row} bookings, {found.violations}")


def _by_module(by_process: Mapping[str, float]) -> dict[str, float]:
    """`client_api 0` and `client_api 1` are one."""
    found: dict[str, float] = {}
    for name, each in by_process.items():
        module = name.rstrip(" 0123456789")
        found[module] = found.get(module, 0.0) + each
    return found
