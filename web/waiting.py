"""Waits for commands to be answered without parking a thread: one LISTEN connection for the whole process.

Started and stopped by the application. A waiter is told *that* its command has an answer, never which: who
waits reads the journal. Losing a notification, or the connection, costs a second, never an answer.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from uuid import UUID

import psycopg
import structlog

from runtime.metrics import count_database_error
from storage.database import CONNECT_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_MS, libpq_url
from storage.journal import APPLIED_CHANNEL

WAITERS_LIMIT: Final = 1_000
WAIT_LIMIT_SECONDS: Final = 30
POLL_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 1.0

# One transaction that sees one studio, as row-level security wants it, in one round trip.
_ENTER_STUDIO = "SELECT set_config('app.studio_id', %s, true)"
_ANSWERED = "SELECT command_id FROM command_journal WHERE command_id = ANY(%s) AND state <> 'accepted'"

log = structlog.get_logger(__name__)

AsyncConnection = psycopg.AsyncConnection[tuple[UUID, ...]]
Waiting = tuple[UUID, UUID]


class AppliedWaiter:
    """Lives in the event loop of its process; only `wait` is for others."""

    def __init__(self, database_url: str, role: str, service: str) -> None:
        self._database_url = database_url
        self._role = role
        self._service = service
        self._futures: dict[Waiting, set[asyncio.Future[None]]] = defaultdict(set)
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="applied-waiter")

    async def stop(self) -> None:
        """Ends every wait at once: those who wait answer 202."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for future in [future for futures in self._futures.values() for future in futures]:
            _resolve(future)

    def register(self, studio_id: UUID, command_id: UUID) -> "Ticket | None":
        """A place in the room, to be taken before looking at the journal; None when WAITERS_LIMIT wait."""
        if self._count >= WAITERS_LIMIT:
            return None
        return Ticket(self, (studio_id, command_id))

    def _enter(self, waiting: Waiting, future: asyncio.Future[None]) -> None:
        self._count += 1
        self._futures[waiting].add(future)

    def _leave(self, waiting: Waiting, future: asyncio.Future[None]) -> None:
        self._count -= 1
        futures = self._futures[waiting]
        futures.discard(future)
        if not futures:
            del self._futures[waiting]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                # The outermost loop of this task: whatever it was, waiting must go on.
                count_database_error(error)
                log.warning("listening for answers was interrupted", reason=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with await _connect(self._database_url, self._role, self._service) as connection:
            await connection.execute(f"LISTEN {APPLIED_CHANNEL}".encode())
            while True:
                async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass
                await self._tell(connection)

    async def _tell(self, connection: AsyncConnection) -> None:
        wanted: dict[UUID, list[UUID]] = defaultdict(list)
        for studio_id, command_id in self._futures:
            wanted[studio_id].append(command_id)
        for studio_id, command_ids in list(wanted.items()):
            async with connection.transaction():
                await connection.execute(_ENTER_STUDIO, [str(studio_id)])
                cursor = await connection.execute(_ANSWERED, [command_ids])
                answered = [command_id for (command_id,) in await cursor.fetchall()]
            self._resolve_all((studio_id, command_id) for command_id in answered)

    def _resolve_all(self, answered: Iterable[Waiting]) -> None:
        for waiting in answered:
            for future in self._futures.get(waiting, ()):
                _resolve(future)


class Ticket:
    """One wait. Leave it, whatever happened."""

    def __init__(self, waiter: AppliedWaiter, waiting: Waiting) -> None:
        self._waiter = waiter
        self._waiting = waiting
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter._enter(waiting, self._future)

    async def wait(self, seconds: float) -> None:
        """Returns when the command is answered, or after `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._future, seconds)

    def leave(self) -> None:
        self._waiter._leave(self._waiting, self._future)


async def _connect(database_url: str, role: str, service: str) -> AsyncConnection:
    # Keepalives: this connection is silent for hours, and must notice that its server is gone.
    return await psycopg.AsyncConnection.connect(
        libpq_url(database_url),
        autocommit=True,
        application_name=f"{service}-waiter",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
        options=f"-c role={role} -c statement_timeout={STATEMENT_TIMEOUT_MS}",
    )


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
