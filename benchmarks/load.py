"""Load over HTTP/1.1 from a process of its own: measuring costs the measured one nothing but a shared core.

`send_load` is called by the benchmarks; the other process is `python -m benchmarks.load`, which reads one job
as JSON and writes what it saw. A job is closed (each connection asks as soon as it is answered) or open:
requests come at random instants of a fixed rate, whoever still waits, and their time counts from those.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import cast

import uvloop

from benchmarks.workers import ROOT
from runtime.ports import LOOPBACK

ANSWER_SECONDS_MAX = 60.0
# Open load: more than this many unanswered requests are a measurement of nothing.
WAITING_LIMIT = 900
# Where a request's Idempotency-Key goes.
KEY = "00000000-key-of-this-one-request"
_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` are whole HTTP messages, sent in turn; `rate` per second makes the job open."""

    ports: list[int]
    requests: list[str]
    seconds: float
    warm_up_seconds: float = 1.0
    connections: int = 8
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers that came, or in an open job were asked for, after the warm-up; milliseconds until them."""

    rate: float
    statuses: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    connections: int


def write_request(method: str, host: str, path: str, headers: dict[str, str], body: str = "") -> str:
    """An HTTP/1.1 message; `host` is what the Host header says."""
    sent = {"Host": host, **headers}
    if body:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body.encode()))}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"


def send_load(job: Job) -> Seen:
    """Does the job in another process. Raises subprocess.CalledProcessError when that one breaks."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=job.warm_up_seconds + job.seconds + 2 * ANSWER_SECONDS_MAX,
    )
    return Seen(**json.loads(done.stdout))


@dataclass(frozen=True, slots=True)
class Answer:
    """`head` is the status line and the headers, as they came."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """b"" when there is none; `name` in lower case."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n"))
        return next((value.strip() for key, _, value in lines if key.lower() == name), b"")


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self) -> None:
        self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes) -> int:
        """The status of the answer, all of which has come. Raises ConnectionError, TimeoutError."""
        return (await self.exchange(request)).status

    async def exchange(self, request: bytes) -> "Answer":
        """The whole answer. Raises ConnectionError, TimeoutError."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answered, ANSWER_SECONDS_MAX)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length and self._answered is not None and not self._answered.done():
            self._received = b""
            self._answered.set_result(Answer(int(head[9:12]), head, body))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionResetError("closed before it was answered"))


class Generator:
    """Does one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._turns = count()
        self._connections = count()
        self._idle: list[Connection] = []
        self._milliseconds: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._from = perf_counter() + job.warm_up_seconds
        self._until = self._from + job.seconds

    async def run(self) -> Seen:
        if self._job.rate is None:
            await asyncio.gather(*(self._ask_without_pause() for _ in range(self._job.connections)))
        else:
            await self._ask_at_random(self._job.rate)
        times = sorted(self._milliseconds)
        if not times:
            raise RuntimeError("nothing was answered")
        p50, p95, p99 = (round(times[int(part * (len(times) - 1))], 2) for part in (0.5, 0.95, 0.99))
        opened = next(self._connections)
        return Seen(len(times) / self._job.seconds, dict(self._statuses), p50, p95, p99, opened)

    async def _ask_without_pause(self) -> None:
        connection = await self._connect()
        while (began_at := perf_counter()) < self._until:
            status = await connection.ask(self._next_request())
            if self._from <= perf_counter() < self._until:
                self._note(status, began_at)

    async def _ask_at_random(self, rate: float) -> None:
        gaps = random.Random(_SEED)
        due_at = perf_counter()
        async with asyncio.TaskGroup() as waiting:
            while due_at < self._until:
                await asyncio.sleep(max(0.0, due_at - perf_counter()))
                waiting.create_task(self._ask_once(due_at))
                due_at += gaps.expovariate(rate)

    async def _ask_once(self, due_at: float) -> None:
        connection = self._take_idle() or await self._connect()
        status = await connection.ask(self._next_request())
        self._idle.append(connection)
        if due_at >= self._from:
            self._note(status, due_at)

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed:
                return connection
        return None

    async def _connect(self) -> Connection:
        number = next(self._connections)
        if number >= WAITING_LIMIT:
            raise RuntimeError(f"{WAITING_LIMIT} requests wait: this rate is more than can be answered")
        port = self._job.ports[number % len(self._job.ports)]
        _, connection = await asyncio.get_running_loop().create_connection(Connection, LOOPBACK, port)
        return connection

    def _next_request(self) -> bytes:
        turn = next(self._turns)
        return self._job.requests[turn % len(self._job.requests)].replace(KEY, token_hex(16)).encode()

    def _note(self, status: int, since: float) -> None:
        self._statuses[str(status)] += 1
        self._milliseconds.append((perf_counter() - since) * 1_000)


def main() -> None:
    job = Job(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(Generator(job).run()))))


if __name__ == "__main__":
    main()
