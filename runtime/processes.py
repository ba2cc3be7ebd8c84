"""Our own processes as children of one parent: started together, restarted when they die, ended together.

Called by the run stack and by the tests that kill processes. Servers that are not ours (PostgreSQL, RabbitMQ)
have rooms of their own. No thread: the parent's own loop calls `Supervisor.restart_dead`.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.lifeline import die_with_parent
from runtime.process_logs import open_log

STOP_GRACE_SECONDS = 10.0
KILL_SECONDS_MAX = 10.0
FIRST_RESTART_DELAY_SECONDS = 0.5
LONGEST_RESTART_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0  # having lived so long, a child that dies is restarted as if for the first time
POLL_SECONDS = 0.02
LOG_BYTES_READ_MAX = 64 * 1024 * 1024


class Child:
    """One process of ours, with its own process group and log file, killed by the kernel when we are gone.

    Start it from a thread that lives as long as it should (see die_with_parent). `environment` is the whole
    environment; None = ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
        restart: bool = False,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log_file = log_file
        self.restart = restart
        self._environment = None if environment is None else dict(environment)
        self._working_directory = working_directory
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._restart_delay_seconds = FIRST_RESTART_DELAY_SECONDS

    def __repr__(self) -> str:
        return f"Child({self.name}, process_id={self.process_id})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_id(self) -> int | None:
        """While it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """Of the last run: negative = ended by that signal; None = still running or never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Idempotent while it runs. Raises OSError if the command cannot be run."""
        if self.process_id is not None:
            return
        with open_log(self.log_file) as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._working_directory,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        self._started_at = time.monotonic()

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting; a child that has been asked is not restarted."""
        self.restart = False
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """SIGTERM, and SIGKILL to what is left of its group when it has ended or the grace is over."""
        self.ask_to_stop()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """kill -9 of its whole process group. Idempotent."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(KILL_SECONDS_MAX)

    def wait(self, seconds_max: float) -> int:
        """Its exit code. Raises TimeoutError if it still runs after `seconds_max`."""
        assert self._process is not None, f"{self.name} has not been started"
        try:
            return self._process.wait(seconds_max)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self.name} still runs after {seconds_max} s") from error

    def read_log(self) -> str:
        """All that it has printed, over all its runs, up to LOG_BYTES_READ_MAX."""
        try:
            with self.log_file.open("rb") as log:
                return log.read(LOG_BYTES_READ_MAX).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, words: str, seconds_max: float) -> None:
        """Until its log holds these words. Raises TimeoutError, at once if it has ended without them."""
        deadline = time.monotonic() + seconds_max
        while words not in self.read_log():
            ended = self.process_id is None
            if ended and words in self.read_log():
                return
            if ended or time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} has not printed {words!r}: see {self.log_file}")
            time.sleep(POLL_SECONDS)

    def restart_if_due(self, now: float) -> bool:
        """Restarts a dead child when its delay, doubled at every death in a row, is over."""
        if not self.restart or self._process is None or self._process.poll() is None:
            return False
        if self._restart_at is None:
            if now - self._started_at > STEADY_SECONDS:
                self._restart_delay_seconds = FIRST_RESTART_DELAY_SECONDS
            self._restart_at = now + self._restart_delay_seconds
            self._restart_delay_seconds = min(self._restart_delay_seconds * 2, LONGEST_RESTART_DELAY_SECONDS)
        if now < self._restart_at:
            return False
        self._restart_at = None
        self.start()
        return True


class Supervisor:
    """Children by name, started in order and stopped together."""

    def __init__(self, children: Sequence[Child] = ()) -> None:
        self._children: dict[str, Child] = {}
        for child in children:
            self.add(child)

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children.values())

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def add(self, child: Child) -> Child:
        """Takes a child into care, started or not. Raises ValueError if the name is taken."""
        if child.name in self._children:
            raise ValueError(f"two children are named {child.name}")
        self._children[child.name] = child
        return child

    def start(self) -> None:
        """Starts those that do not run."""
        for child in self:
            child.start()

    def restart_dead(self, now: float) -> list[str]:
        """Restarts what is dead and due; `now` is time.monotonic(). Answers the names restarted."""
        return [child.name for child in self if child.restart_if_due(now)]

    def dead(self) -> list[Child]:
        """Those that have ended and will not be restarted."""
        return [child for child in self if child.exit_code is not None and not child.restart]

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """All at once SIGTERM, one grace for all, then SIGKILL. Idempotent."""
        deadline = time.monotonic() + grace_seconds
        for child in self:
            child.ask_to_stop()
        for child in self:
            child.stop(max(0.0, deadline - time.monotonic()))
