"""The stack's own processes: launched side by side, waited for, restarted, ended together.

Called by `runtime.stack` only, from its main thread: the kernel ends children with the thread that forked
them.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from runtime.process_logs import LOG_BYTES_MAX, log_tail
from runtime.processes import Child, Supervisor
from runtime.stack_progress import Progress
from runtime.stack_services import ROOT, Service

READY_SECONDS_MAX = 90.0
PROBE_SECONDS_MAX = 2.0
POLL_SECONDS = 0.1
STOP_GRACE_SECONDS = 6.0
STOP_GRACE_SECONDS_MIN = 1.0
LOG_LINES_SHOWN = 8
# Loopback only: a proxy of the environment must not be asked.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StackFailed(Exception):
    """The stack cannot run; the message is for people."""


@dataclass(frozen=True)
class _Member:
    service: Service
    child: Child
    log_since: int

    @property
    def runs_to_its_end(self) -> bool:
        return self.service.ready_url is None and not self.service.ready_words

    def is_ready(self) -> bool:
        """Raises StackFailed if it has ended and should not have."""
        ended = self.child.exit_code
        if ended is not None and not (self.runs_to_its_end and ended == 0):
            raise StackFailed(self._obituary(ended))
        if self.runs_to_its_end:
            return ended == 0
        if self.service.ready_url is not None:
            return answers(self.service.ready_url)
        return self.service.ready_words in log_tail(self.child.log_file, since=self.log_since)

    def _obituary(self, exit_code: int) -> str:
        said = log_tail(self.child.log_file, since=self.log_since).splitlines()[-LOG_LINES_SHOWN:]
        lines = [f"{self.service.name} ended with exit code {exit_code}; its log {self.child.log_file} ends:"]
        return "\n  ".join([*lines, *said])


class Crew:
    """Services launched into one log directory."""

    def __init__(self, log_dir: Path, progress: Progress) -> None:
        self._log_dir = log_dir
        self._progress = progress
        self._supervisor = Supervisor()
        self._waiting: list[_Member] = []
        self._ending_last: list[Child] = []

    def launch(self, services: Iterable[Service]) -> None:
        """Starts them without waiting."""
        for service in services:
            log_file = self._log_dir / f"{service.name.replace(' ', '_')}.log"
            size = log_file.stat().st_size if log_file.exists() else 0
            child = Child(
                service.name,
                service.command,
                log_file=log_file,
                environment=service.environment,
                working_directory=ROOT,
            )
            member = _Member(service, child, 0 if size > LOG_BYTES_MAX else size)
            self._supervisor.add(child)
            self._progress.begin(service.name)
            child.start()
            self._waiting.append(member)
            if service.ends_last:
                self._ending_last.append(child)

    def wait_until_ready(self) -> None:
        """Until all that were launched serve, or have done their work. Raises StackFailed."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while self._waiting:
            if time.monotonic() > deadline:
                names = ", ".join(member.service.name for member in self._waiting)
                raise StackFailed(f"{names}: not ready after {READY_SECONDS_MAX:.0f} s; see {self._log_dir}")
            self._waiting = [member for member in self._waiting if not self._has_come(member)]
            if self._waiting:
                time.sleep(POLL_SECONDS)

    def _has_come(self, member: _Member) -> bool:
        if not member.is_ready():
            return False
        member.child.restart = not member.runs_to_its_end
        self._progress.end(member.service.name)
        return True

    def restart_dead(self) -> list[str]:
        """Names of those that had died and were started again."""
        return self._supervisor.restart_dead(time.monotonic())

    def stop(self) -> None:
        """Asks all to end, those that end last after the others, and kills what does not. Idempotent."""
        deadline = time.monotonic() + STOP_GRACE_SECONDS
        others = [child for child in self._supervisor if child not in self._ending_last]
        for child in others:
            child.ask_to_stop()
        while any(child.process_id is not None for child in others) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self._supervisor.stop(max(STOP_GRACE_SECONDS_MIN, deadline - time.monotonic()))


def answers(url: str) -> bool:
    """Whether a loopback address answers with success."""
    try:
        with _DIRECT.open(url, timeout=PROBE_SECONDS_MAX):
            return True
    except (urllib.error.URLError, HTTPException, OSError):
        return False
