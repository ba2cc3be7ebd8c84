"""A studio with a past, and a place for its backups: what the tests of this folder take and restore.

The sealing key is known here, so that a drill can open the provider's secret.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy import text

from backups.drilling import SCRATCH_PREFIX, Drill, Proof, run_drill
from backups.encryption import make_identity_file, read_identities
from backups.taking import take_backup
from kit.clock import system_clock
from runtime.settings import BackupSettings
from storage.sealing import new_sealing_key, seal
from tests.databases import owner_engine

ROOT = Path(__file__).resolve().parents[3]
RUN_SECONDS_MAX = 60
MORNING = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """One database, one directory of backups, one key."""

    url: str
    place: Path
    recipient: str
    sealing_key: str

    @property
    def directory(self) -> Path:
        return self.place / "backups"

    @property
    def identity_file(self) -> Path:
        return self.place / "key"

    @property
    def names(self) -> list[str]:
        """What lies in the directory, beside the lock."""
        return sorted(path.name for path in self.directory.iterdir() if path.name != "lock")

    def settings(self, **changed: object) -> BackupSettings:
        given: dict[str, object] = {
            "backup_database_url": SecretStr(self.url),
            "backup_directory": self.directory,
            "backup_recipient": self.recipient,
            "sealing_key": SecretStr(self.sealing_key),
        }
        return BackupSettings(**given | changed)  # type: ignore[arg-type]

    def take(self, now: datetime = MORNING) -> Path:
        return take_backup(self.settings(), now)

    def drill(self, backup: Path, identity_file: Path | None = None, server_url: str | None = None) -> Proof:
        identities = read_identities(identity_file or self.identity_file)
        return run_drill(Drill(backup, identities, self.url, server_url or self.url), quiet, system_clock)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "BACKUP_DATABASE_URL": self.url,
            "BACKUP_DIRECTORY": str(self.directory),
            "BACKUP_RECIPIENT": self.recipient,
            "BACKUP_IDENTITY_FILE": str(self.identity_file),
            "SEALING_KEY": self.sealing_key,
        }

    def command(self, *arguments: str, **added: str) -> "subprocess.CompletedProcess[str]":
        """`billbus` as an operator runs it."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=ROOT,
            env=self.environment() | added,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """As from a terminal: what a shell starts in the background, and so its tests, is deaf to Ctrl-C."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def execute(self, statement: str) -> None:
        """As the owner, with the triggers off: what no process may do."""
        with owner_engine(self.url).begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(statement))

    def scratch_databases(self, server_url: str | None = None) -> list[str]:
        with psycopg.connect(server_url or self.url) as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname ^@ %s", (SCRATCH_PREFIX,)
            )
            return [str(name) for (name,) in rows]

    def drills(self) -> list[tuple[str, str | None]]:
        """Outcome and problem of every recorded drill, oldest first."""
        query = text(
            "SELECT outcome, problem FROM job_run WHERE job = 'restore_drill' ORDER BY started_at, due_at"
        )
        with owner_engine(self.url).connect() as connection:
            return [(outcome, problem) for outcome, problem in connection.execute(query)]


def open_shop(url: str, place: Path) -> Shop:
    """In a database with a past."""
    sealing_key = new_sealing_key()
    (place / "backups").mkdir()
    recipient = make_identity_file(place / "key", MORNING)
    with owner_engine(url).begin() as connection:
        sealed = seal(sealing_key, "the provider's secret")
        connection.execute(text("UPDATE provider_account SET sealed_secret = :sealed"), {"sealed": sealed})
    return Shop(url, place, recipient, sealing_key)


@contextmanager
def quiet(title: str) -> Iterator[None]:
    """Steps that nobody watches."""
    yield
