"""The servers below the stack: private ones that it starts and keeps up, or given ones that it only uses.

Called by `runtime.stack` only. PostgreSQL starts in the calling thread, RabbitMQ beside it in one of its own.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from runtime.postgres import PostgresServer, find_installations
from runtime.rabbitmq import RabbitServer, ensure_installation
from runtime.stack_progress import Progress
from runtime.stack_services import ROOT

POSTGRES, RABBIT = "postgres", "rabbitmq"
TOOLS_DIR = ROOT / ".tools"
FORMER_NODE_SECONDS_MAX = 30.0
POLL_SECONDS = 0.1


class Servers:
    """PostgreSQL unless `database_url` is given; RabbitMQ if the bus is that and `amqp_url` is not given."""

    def __init__(
        self,
        state_dir: Path,
        progress: Progress,
        *,
        database_url: str | None,
        amqp_url: str | None,
        on_rabbit: bool,
        postgres_port: int,
    ) -> None:
        self._progress = progress
        self._database_url = database_url
        self._amqp_url = amqp_url
        self._postgres = None if database_url else PostgresServer(state_dir, port=postgres_port)
        self.rabbit = RabbitServer(state_dir, management=True) if on_rabbit and not amqp_url else None
        self._threads = ThreadPoolExecutor(max_workers=2)
        self._rabbit_start: Future[None] | None = None

    @property
    def database_url(self) -> str:
        """Raises PostgresUnavailable before the start."""
        if self._postgres is not None:
            return self._postgres.url()
        assert self._database_url is not None
        return self._database_url

    @property
    def amqp_url(self) -> str | None:
        """None on the embedded bus."""
        return self.rabbit.amqp_url if self.rabbit is not None else self._amqp_url

    def start(self) -> None:
        """Both serve when it returns. Raises PostgresUnavailable, RabbitUnavailable, DirectoryBusy."""
        if self.rabbit is not None:
            self._progress.begin(RABBIT)
            self._rabbit_start = self._threads.submit(self._start_rabbit, self.rabbit)
        if self._postgres is not None:
            self._progress.begin(POSTGRES)
            self._postgres.start()
            self._progress.end(POSTGRES)
        if self._rabbit_start is not None:
            self._rabbit_start.result()

    def keep_up(self) -> None:
        """Starts again, on the same ports, what has died. Raises as `start`."""
        if self._postgres is not None:
            self._postgres.start()
        if self.rabbit is not None:
            self.rabbit.start()

    def stop(self) -> None:
        """Both at the same time. Idempotent; also while `start` is still at work in its thread."""
        stopping = self._threads.submit(self._stop_rabbit)
        if self._postgres is not None:
            self._postgres.stop()
        stopping.result()

    def erase(self) -> None:
        """Everything that the private ones have kept."""
        if self._postgres is not None:
            self._postgres.erase()
        if self.rabbit is not None:
            self.rabbit.erase()

    def _start_rabbit(self, rabbit: RabbitServer) -> None:
        ensure_installation(TOOLS_DIR, lambda sentence: self._progress.note(RABBIT, sentence))
        await_former_node(rabbit)
        rabbit.start()
        self._progress.end(RABBIT)

    def _stop_rabbit(self) -> None:
        if self.rabbit is None:
            return
        self.rabbit.stop()
        if self._rabbit_start is not None:  # it may just have launched the node
            with suppress(Exception):
                self._rabbit_start.result()
            self.rabbit.stop()


def await_former_node(rabbit: RabbitServer) -> None:
    """Until a node whose parent was killed has ended: its guardian gives it a grace, on the same files."""
    deadline = time.monotonic() + FORMER_NODE_SECONDS_MAX
    while _is_running(rabbit.home) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_running(home: Path) -> bool:
    """By the command line of Erlang: the node removes its pid file when it begins to end."""
    mark = f"-home\0{home}\0".encode()
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark in command_line.read_bytes():
                return True
    return False


def command_directories() -> tuple[Path, ...]:
    """Where `psql` and its like are, if this machine has them."""
    found = [one.bin_dir for one in find_installations() if (one.bin_dir / "psql").exists()]
    return tuple(found[:1])
