"""The restore drill: proves a backup by bringing it back, beside the live database, and records that it was.

Called by `billbus restore-drill`. The scratch database has a random name and is gone afterwards, whatever
happens but the death of this process. The live database is written one row of `job_run`, nothing else.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from traceback import clear_frames
from typing import LiteralString

from alembic.util.exc import CommandError
from psycopg import sql
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from backups.configuration import sealing_key
from backups.encryption import Identity
from backups.failures import BackupFailed
from backups.restoring import Step, connect, fill, open_backup, told_in_a_sentence, verify_books
from kit.clock import Clock
from models import migrate
from storage.jobs import begin_run, finish_run
from storage.sealing import SealingKeyWrong, unseal

JOB = "restore_drill"
SCRATCH_PREFIX = "billbus_drill_"
SECRETS_MAX = 10_000

_SEALED: LiteralString = "SELECT sealed_secret FROM provider_account ORDER BY id LIMIT %s"
_LEFT_OVER: LiteralString = "SELECT datname FROM pg_database WHERE datname ^@ %s ORDER BY datname"


@dataclass(frozen=True, slots=True)
class Drill:
    """What to prove (`backup`), with which keys, on which server, and where to record it (`live_url`)."""

    backup: Path
    identities: Sequence[Identity] = field(repr=False)
    live_url: str = field(repr=False)
    server_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a drill has shown. `left_over`: scratch databases of drills that were killed."""

    taken_at: datetime
    row_count: int
    event_count: int
    secret_count: int
    left_over: tuple[str, ...]


def run_drill(drill: Drill, step: Step, clock: Clock) -> Proof:
    """Restores, compares, migrates, verifies, opens providers' secrets; records success and failure alike.

    Raises BackupFailed with what could not be proven.
    """
    due_at = clock()
    with _live(drill) as connection:
        begin_run(connection, JOB, due_at)
    try:
        proof = _prove(drill, step)
    except BackupFailed as error:
        with _live(drill) as connection:
            finish_run(connection, JOB, due_at, "failed", 0, str(error))
        raise
    with step("the proof is recorded"), _live(drill) as connection:
        finish_run(connection, JOB, due_at, "done", 1, None)
    return proof


@contextmanager
def _live(drill: Drill) -> Iterator[Connection]:
    """A transaction in the live database, as the owner."""
    engine = create_engine(make_url(drill.live_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with told_in_a_sentence(), engine.begin() as connection:
        yield connection


def _prove(drill: Drill, step: Step) -> Proof:
    opened = open_backup(drill.backup, drill.identities, step)
    manifest = opened.manifest
    with _scratch_database(drill.server_url, step) as (scratch_url, left_over):
        fill(opened, scratch_url, step)
        with step(f"it migrates from {manifest.books.schema_revision} to {migrate.head()}"):
            _migrate(scratch_url)
        with step("the books are verified"):
            report = verify_books(scratch_url)
        with step("the secrets of providers open"):
            secret_count = _open_secrets(scratch_url, sealing_key(opened.configuration))
    return Proof(
        manifest.taken_at,
        sum(manifest.books.row_counts.values()),
        report.event_count,
        secret_count,
        left_over,
    )


@contextmanager
def _scratch_database(server_url: str, step: Step) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The URL of a new database, and what earlier drills have left; dropped whatever happens in the block."""
    name = f"{SCRATCH_PREFIX}{secrets.token_hex(8)}"
    with connect(server_url, autocommit=True) as connection:
        left_over = tuple(str(row[0]) for row in connection.execute(_LEFT_OVER, (SCRATCH_PREFIX,)))
    try:
        with connect(server_url, autocommit=True) as connection, step(f"scratch database {name}"):
            create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(create.format(sql.Identifier(name)))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False), left_over
    except BaseException as error:
        # Ctrl-C may have come while a connection was being made. Kept by the traceback it would stay half
        # open, and the server, before it drops a database, waits for it until authentication_timeout.
        clear_frames(error.__traceback__)
        raise
    finally:
        with connect(server_url, autocommit=True) as connection, step("the scratch database is dropped"):
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def _migrate(database_url: str) -> None:
    try:
        with told_in_a_sentence():
            migrate.upgrade(database_url)
    except CommandError as error:
        # A backup of a newer version: this code does not know its revision.
        raise BackupFailed(f"This version cannot migrate it: {error}") from error


def _open_secrets(database_url: str, key: str) -> int:
    with connect(database_url) as connection:
        rows = connection.execute(_SEALED, (SECRETS_MAX,)).fetchall()
    sealed = [value for (value,) in rows if isinstance(value, bytes)]
    try:
        for one in sealed:
            unseal(key, one)
    except SealingKeyWrong:
        raise BackupFailed(
            "The sealing key of the configuration does not open the secrets of the database: the backup was"
            " taken with another SEALING_KEY than the processes have."
        ) from None
    return len(sealed)
