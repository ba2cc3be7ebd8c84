"""Moves a database between revisions, without an ini file and from any working directory.

Called by `billbus db bootstrap`, the run stack and the tests, under the login that owns the tables. Each call
is one transaction: a migration that fails leaves the database as it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import RaiseException
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from models.roles import missing_roles

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_TIMEOUT_SECONDS = 5
# How long one migrator waits for another; and how long a statement waits for a table that is in use, before
# it gives up instead of making everybody queue behind it.
OTHER_MIGRATOR_TIMEOUT_SECONDS = 60
LOCK_TIMEOUT_SECONDS = 5
_ADVISORY_LOCK = 0x62696C6C627573  # "billbus"
_COLUMNS = text("""
    SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
""")


class RolesMissing(Exception):
    """The cluster lacks roles that the migrations grant to. The message says what to run."""

    def __init__(self, roles: list[str]) -> None:
        super().__init__(
            f"The database cluster has no role {', '.join(roles)}:"
            " run `billbus db bootstrap` with a login that may create roles."
        )


class MigrationRefused(Exception):
    """A migration says why it cannot be done to this database, which is as it was."""


def upgrade(database_url: str, revision: str = "head") -> None:
    """Raises RolesMissing; sqlalchemy.exc.OperationalError if a lock was not to be had. Idempotent."""
    with _migrating(database_url) as connection:
        missing = missing_roles(connection)
        if missing:
            raise RolesMissing(missing)
        _run(connection, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Back to `revision`; `base` takes every table, and everything in them, away.

    Raises alembic.util.exc.CommandError for a revision that this code does not know; MigrationRefused.
    """
    with _migrating(database_url) as connection:
        _run(connection, lambda config: command.downgrade(config, revision))


def find_losses(database_url: str, revision: str) -> dict[str, int]:
    """Tables and columns that a downgrade takes away, each with the number of rows that hold something there.

    Tries it and takes it back: waits for the same locks as the downgrade itself. Rows that go from tables
    that stay are not told. Raises as `downgrade` does.
    """
    with _migrating(database_url) as connection:
        before = set(connection.scalars(_COLUMNS))
        attempt = connection.begin_nested()
        _run(connection, lambda config: command.downgrade(config, revision))
        after = set(connection.scalars(_COLUMNS))
        attempt.rollback()
        tables = {one.partition(".")[0] for one in after}
        gone = {one if one.partition(".")[0] in tables else one.partition(".")[0] for one in before - after}
        return {one: _count_filled(connection, one) for one in sorted(gone)}


def current(database_url: str) -> str | None:
    """The revision that the database is at; None before the first."""
    with _connected(database_url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision that this code has."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def revision_files() -> list[Path]:
    """The SQL of every revision, oldest first."""
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    return [Path(revision.path).with_suffix(".sql") for revision in reversed(list(revisions))]


@contextmanager
def _connected(database_url: str) -> Iterator[Connection]:
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "billbus migrate"},
    )
    with engine.begin() as connection:
        yield connection


@contextmanager
def _migrating(database_url: str) -> Iterator[Connection]:
    with _connected(database_url) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{OTHER_MIGRATOR_TIMEOUT_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        yield connection


def _count_filled(connection: Connection, table_or_column: str) -> int:
    """Names come from the catalog."""
    table, _, column = table_or_column.partition(".")
    what = f'"{column}"' if column else "*"
    query = text(f'SELECT count({what}) FROM public."{table}"')  # noqa: S608
    return int(connection.execute(query).scalar_one())


def _config() -> Config:
    config = Config()
    # The path is interpolated by configparser.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _run(connection: Connection, act: Callable[[Config], None]) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        act(config)
    except ProgrammingError as error:
        if isinstance(error.orig, RaiseException):
            raise MigrationRefused(error.orig.diag.message_primary) from error
        raise
