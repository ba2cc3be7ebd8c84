"""Brings a backup back: opens its files and fills an empty database, which then holds the very same books.

Called by the drill and by `billbus restore`. The dump is decrypted on its way into pg_restore, in one
transaction: a database that could not be filled is as empty as before.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from backups import configuration
from backups.books import DIFFERENCES_SHOWN, Connection, differences, read_books
from backups.encryption import Identity, decrypt
from backups.failures import BackupFailed
from backups.manifest import CONFIGURATION_FILE, DUMP_FILE, Manifest, check_files, read_manifest
from backups.programs import Program, find_programs
from models import roles
from storage.database import CONNECT_TIMEOUT_SECONDS, create_role_engine, libpq_url
from storage.verification import ROLE, InvariantsMissing, Report, verify

# Tells of one step while it is under way: `with step("files are whole"): ...`.
Step = Callable[[str], AbstractContextManager[None]]

_NO_LIMITS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC"
_IS_EMPTY: LiteralString = """
    SELECT NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast')
"""


def restore(backup: Path, identities: Sequence[Identity], target_url: str, step: Step) -> Manifest:
    """Fills the empty database at `target_url` and proves it; the schema stays at the backup's revision.

    The login there becomes the owner of everything; missing roles are made. Raises BackupFailed: for a
    database that is not empty, a wrong key, a damaged file, other sums, broken books.
    """
    opened = open_backup(backup, identities, step)
    fill(opened, target_url, step)
    with step("the books are verified"):
        verify_books(target_url)
    return opened.manifest


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup whose files are whole, and which these keys open."""

    backup: Path
    manifest: Manifest
    configuration: Mapping[str, bytes] = field(repr=False)
    identities: Sequence[Identity] = field(repr=False)


def open_backup(backup: Path, identities: Sequence[Identity], step: Step) -> Opened:
    """Before any database is touched: the files are whole, and the key is theirs. Raises BackupFailed."""
    manifest = read_manifest(backup)
    with step("the files are what was written"):
        check_files(backup, manifest)
    with step("the configuration opens"):
        files = _open_configuration(backup / CONFIGURATION_FILE, identities)
    return Opened(backup, manifest, files, identities)


def fill(opened: Opened, target_url: str, step: Step) -> None:
    """Fills the empty database at `target_url` and compares it with the manifest. Raises BackupFailed."""
    with step("the database is empty and has its roles"):
        _prepare(target_url)
    with step("the dump is decrypted and restored"):
        _restore_dump(opened, target_url)
    with step("rows and sums are those of the manifest"):
        _compare(opened.manifest, target_url)


def _open_configuration(file: Path, identities: Sequence[Identity]) -> dict[str, bytes]:
    packed = _Bounded()
    with file.open("rb") as encrypted:
        decrypt(encrypted, packed, identities)
    return configuration.unpack(packed.getvalue())


def _compare(manifest: Manifest, database_url: str) -> None:
    """The database holds what the manifest says. Raises BackupFailed with the first differences."""
    with connect(database_url) as connection:
        found = differences(manifest.books, read_books(connection))
    if found:
        more = len(found) - DIFFERENCES_SHOWN
        told = found[:DIFFERENCES_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise BackupFailed(f"What was restored is not what was backed up: {'; '.join(told)}.")


def verify_books(database_url: str) -> Report:
    """Every invariant of its schema, over all rows. Raises BackupFailed if one is broken."""
    engine = create_role_engine(database_url, ROLE, "billbus restore")
    try:
        with told_in_a_sentence():
            report = verify(engine)
    except InvariantsMissing as error:
        raise BackupFailed(str(error)) from error
    finally:
        engine.dispose()
    if not report.is_clean:
        told = "; ".join(f"{check.name} ({check.count})" for check in report.violations)
        raise BackupFailed(f"The books do not hold: {told}. `billbus verify` tells which rows.")
    return report


@contextmanager
def connect(database_url: str, *, autocommit: bool = False) -> Iterator[Connection]:
    """As the login itself, without limits of time: whole tables are read. Commits at the end.

    Raises BackupFailed for whatever the database does not do.
    """
    try:
        with psycopg.connect(
            libpq_url(database_url),
            autocommit=autocommit,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="billbus restore",
            options=_NO_LIMITS,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise BackupFailed(f"The database does not do it: {str(error).strip()}") from error


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """What SQLAlchemy was refused, without the statement."""
    try:
        yield
    except DBAPIError as error:
        raise BackupFailed(f"The database does not do it: {str(error.orig).strip()}") from error


def _prepare(target_url: str) -> None:
    with connect(target_url) as connection:
        row = connection.execute(_IS_EMPTY).fetchone()
        if row is None or not row[0]:
            raise BackupFailed(
                f"The database {connection.info.dbname} is not empty. Nothing is restored over anything:"
                " create a new one."
            )
    engine = create_engine(make_url(target_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with told_in_a_sentence(), engine.begin() as connection_of_roles:
        roles.bootstrap(connection_of_roles)


def _restore_dump(opened: Opened, target_url: str) -> None:
    with connect(target_url) as connection:
        server_major = connection.info.server_version // 10_000
    backup_major = opened.manifest.server_version // 10_000
    if server_major < backup_major:
        raise BackupFailed(
            f"The backup is of PostgreSQL {backup_major}; the server here is {server_major}, which is older."
        )
    programs = find_programs(max(server_major, opened.manifest.dumped_by))
    arguments = ("--no-owner", "--exit-on-error", "--single-transaction")
    with (
        (opened.backup / DUMP_FILE).open("rb") as encrypted,
        Program(programs, "pg_restore", arguments, target_url, feeds=False) as program,
    ):
        try:
            decrypt(encrypted, program.stdin, opened.identities)
        except BrokenPipeError:
            # It has ended before its input: why, it has said itself.
            program.finish()
            raise
        program.finish()


class _Bounded(io.BytesIO):
    """Takes what a configuration can be, and no more."""

    def write(self, piece: bytes, /) -> int:  # type: ignore[override]
        if self.tell() + len(piece) > configuration.TAR_BYTES_MAX:
            raise BackupFailed("The configuration is larger than any that a backup writes.")
        return super().write(piece)
