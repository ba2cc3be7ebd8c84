"""Takes a backup: a directory that is there whole, under its name, or not there at all.

Called by cron's job and by `billbus backup`. The dump is encrypted on its way out of pg_dump: no plain byte
of it is ever on a disk. Nothing here can read a backup: the key for that is kept elsewhere.
"""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import IsolationLevel

from backups import configuration
from backups.books import Connection, read_books
from backups.failures import BackupFailed
from backups.manifest import (
    CONFIGURATION_FILE,
    DUMP_FILE,
    MANIFEST_FILE,
    FileFacts,
    Manifest,
)
from backups.names import Keep, choose_expired, find_taken_at, name_of
from backups.programs import Program, Programs, find_programs
from backups.writing import sync, write_encrypted, write_plain
from runtime.lifeline import DirectoryBusy, DirectoryLock
from runtime.settings import BackupSettings
from storage.database import CONNECT_TIMEOUT_SECONDS, libpq_url

BACKUPS_MAX = 10_000
# How long the dump waits for a table that a migration holds.
TABLE_WAIT_SECONDS = 60
_PARTIAL, _EXPIRED = ".partial", ".expired"
_NO_LIMITS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC"


@dataclass(frozen=True, slots=True)
class _Wanted:
    url: str = field(repr=False)
    directory: Path
    recipient: str
    keep: Keep
    configuration: dict[str, bytes] = field(repr=False)
    product_version: str


def take_backup(settings: BackupSettings, now: datetime) -> Path:
    """One backup of the database and of the configuration, then the ones that have had their day go.

    Returns its directory. Raises BackupFailed: then no other backup was touched, and nothing has its name.
    One at a time per directory. Idempotent by `now` to the second: the second of them fails.
    """
    wanted = _wanted(settings)
    with _owning(wanted.directory):
        with _told_in_a_sentence("No backup was taken; the earlier ones are untouched."):
            taken = _take(wanted, now)
        with _told_in_a_sentence(f"{taken.name} was taken, but an old backup does not go away."):
            _rotate(wanted, taken)
    return taken


def list_backups(directory: Path) -> list[Path]:
    """The whole ones, newest last. Raises BackupFailed if there is no such directory."""
    try:
        with os.scandir(directory) as entries:
            names = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise BackupFailed(f"BACKUP_DIRECTORY cannot be read: {error.strerror}: {directory}") from error
    return [directory / name for name in sorted(names) if find_taken_at(name) is not None][-BACKUPS_MAX:]


def _wanted(settings: BackupSettings) -> _Wanted:
    asked = {
        "BACKUP_DATABASE_URL": settings.backup_database_url,
        "BACKUP_DIRECTORY": settings.backup_directory,
        "BACKUP_RECIPIENT": settings.backup_recipient,
    }
    url, directory = settings.backup_database_url, settings.backup_directory
    recipient = settings.backup_recipient
    if url is None or directory is None or recipient is None:
        missing = ", ".join(name for name, value in asked.items() if value is None)
        raise BackupFailed(f"{missing} must be set: no backup can be taken.")
    if not directory.is_dir():
        # Never made here: a volume that is not mounted would be a full disk, and no backup, later.
        raise BackupFailed(f"BACKUP_DIRECTORY is not there: {directory}")
    return _Wanted(
        url=url.get_secret_value(),
        directory=directory.absolute(),
        recipient=recipient,
        keep=Keep(settings.backup_keep_daily, settings.backup_keep_weekly, settings.backup_keep_monthly),
        configuration=configuration.collect(settings),
        product_version=settings.billbus_version,
    )


def _take(wanted: _Wanted, now: datetime) -> Path:
    _sweep(wanted.directory)
    taken = wanted.directory / name_of(now)
    if taken.exists():
        raise BackupFailed(f"{taken} is there already.")
    partial = wanted.directory / f".{taken.name}{_PARTIAL}"
    partial.mkdir(mode=0o700)
    try:
        _fill(partial, wanted, now)
        partial.rename(taken)
        sync(wanted.directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return taken


def _fill(partial: Path, wanted: _Wanted, now: datetime) -> None:
    with _snapshot(wanted.url) as (connection, snapshot):
        server_version = connection.info.server_version
        programs = find_programs(server_version // 10_000)
        books = read_books(connection)
        dump = _dump(partial / DUMP_FILE, wanted, programs, snapshot)
    packed = io.BytesIO(configuration.pack(wanted.configuration, now))
    secrets = write_encrypted(partial / CONFIGURATION_FILE, packed, wanted.recipient)
    manifest = Manifest(
        taken_at=now,
        product_version=wanted.product_version,
        server_version=server_version,
        dumped_by=programs.major,
        recipient=wanted.recipient,
        books=books,
        files={DUMP_FILE: dump, CONFIGURATION_FILE: secrets},
    )
    write_plain(partial / MANIFEST_FILE, manifest.model_dump_json(indent=2).encode() + b"\n")
    sync(partial)


@contextmanager
def _snapshot(url: str) -> Iterator[tuple[Connection, str]]:
    """A transaction whose view pg_dump shares: the manifest counts the very rows of the dump."""
    with psycopg.connect(
        libpq_url(url),
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name="billbus backup",
        options=_NO_LIMITS,
    ) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield connection, str(row[0])


def _dump(file: Path, wanted: _Wanted, programs: Programs, snapshot: str) -> FileFacts:
    arguments = (
        "--format=custom",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={TABLE_WAIT_SECONDS}s",
    )
    with Program(programs, "pg_dump", arguments, wanted.url, feeds=True) as program:
        facts = write_encrypted(file, program.stdout, wanted.recipient)
        # Only now is it known to be all: a dump that breaks off encrypts as well as a whole one.
        program.finish()
    return facts


def _rotate(wanted: _Wanted, taken: Path) -> None:
    names = [backup.name for backup in list_backups(wanted.directory)]
    for name in choose_expired(names, wanted.keep):
        # After a clock that ran ahead what was just taken may look old.
        if name != taken.name:
            gone = wanted.directory / f".{name}{_EXPIRED}"
            (wanted.directory / name).rename(gone)
            shutil.rmtree(gone)


def _sweep(directory: Path) -> None:
    """What a killed run has left: nobody else is at work here, so it is dead."""
    for path in directory.iterdir():
        name, suffix = path.stem.removeprefix("."), path.suffix
        if path.name.startswith(".") and suffix in (_PARTIAL, _EXPIRED) and find_taken_at(name):
            # A link is no run's: it goes, and what it leads to stays.
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def _owning(directory: Path) -> Iterator[None]:
    lock = DirectoryLock(directory)
    try:
        lock.acquire()
    except (DirectoryBusy, OSError) as error:
        raise BackupFailed(f"BACKUP_DIRECTORY cannot be worked in: {error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told_in_a_sentence(consequence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{error.strerror}. {consequence}") from error
    except psycopg.Error as error:
        raise BackupFailed(f"The database does not do it: {str(error).strip()}. {consequence}") from error
