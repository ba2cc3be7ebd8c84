"""pg_dump and pg_restore: which ones, and one run of one of them under a limit.

Called by taking and restoring. A password travels in the environment of the child, never among its arguments,
where every user of the machine could read it.
"""

import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from backups.failures import BackupFailed
from runtime.postgres_installations import find_client_directories
from storage.database import CONNECT_TIMEOUT_SECONDS, libpq_url

RUN_SECONDS_MAX = 6 * 3600.0
END_SECONDS_MAX = 10.0
WORDS_BYTES_MAX = 600
_PIECE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Programs:
    """A directory with pg_dump and pg_restore of one major version."""

    bin_dir: Path
    major: int


def find_programs(at_least: int) -> Programs:
    """The oldest ones that are not older than `at_least`, a major version.

    Not the newest: what pg_restore 17 says to a server, a server 15 does not understand. Raises BackupFailed.
    """
    found = [Programs(place, major) for place, major in find_client_directories()]
    fitting = sorted((one for one in found if one.major >= at_least), key=lambda one: one.major)
    if not fitting:
        here = ", ".join(sorted({str(one.major) for one in found})) or "none"
        raise BackupFailed(f"pg_dump and pg_restore {at_least} or newer are needed; here: {here}.")
    return fitting[0]


class Program:
    """One run, as a context: whoever leaves it early, or lets it run too long, kills it.

    `stdin` takes what it reads, `stdout` gives what it writes, as `feeds` says which of the two it has.
    """

    def __init__(
        self, programs: Programs, name: str, arguments: Sequence[str], database_url: str, *, feeds: bool
    ) -> None:
        login, environment = _login_and_environment(database_url)
        self._name = name
        self._words = b""
        self._process = subprocess.Popen(
            [str(programs.bin_dir / name), f"--dbname={login}", "--no-password", *arguments],
            stdin=subprocess.DEVNULL if feeds else subprocess.PIPE,
            stdout=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._limit = threading.Timer(RUN_SECONDS_MAX, self._process.kill)
        self._limit.daemon = True

    def __enter__(self) -> Self:
        self._listener.start()
        self._limit.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(END_SECONDS_MAX)
        self._listener.join(END_SECONDS_MAX)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                _close(pipe)

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def finish(self) -> None:
        """Waits for its end, after all was read or written. Raises BackupFailed with what it said."""
        if self._process.stdin is not None:
            _close(self._process.stdin)
        code = self._process.wait(RUN_SECONDS_MAX)
        self._listener.join(END_SECONDS_MAX)
        if code != 0:
            words = self._words.decode(errors="replace").strip() or f"it ended with {code}"
            raise BackupFailed(f"{self._name} does not do it: {words}")

    def _listen(self) -> None:
        """Keeps the first words of standard error and reads on: a full pipe would stop the program."""
        stderr = self._process.stderr
        assert stderr is not None
        while piece := stderr.read(_PIECE_BYTES):
            self._words = (self._words + piece)[:WORDS_BYTES_MAX]


def _login_and_environment(database_url: str) -> tuple[str, dict[str, str]]:
    login = conninfo_to_dict(libpq_url(database_url))
    password = login.pop("password", None)
    login.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    environment = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    environment |= {"PATH": os.defpath, "LC_ALL": "C", "HOME": os.environ.get("HOME", "/")}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **login), environment


def _close(pipe: IO[bytes]) -> None:
    """Also one whose other end is gone with unread bytes in between."""
    try:
        pipe.close()
    except BrokenPipeError:
        return
