"""Connections to Postgres: every one under the role of its process, none as the owner.

`billbus_api` and `billbus_admin` see one studio at a time: the one set for the transaction by `tenant`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.engine import make_url

from runtime.metrics import count_database_error

CONNECT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 10_000
IDLE_TIMEOUT_MS = 30_000
# Of each process, and none beyond it: one that is opened for a burst is a process of the server's, with its
# sign-in and every plan anew, and costs more than what it is opened for.
POOL_SIZE = 16
# SQLSTATE classes and codes of errors that no row is guilty of: rolled back for concurrency, no space or
# memory or connections, stopped by an operator, input and output, locked by another, a standby for now.
MOMENTARY_CLASSES = frozenset({"40", "53", "57", "58"})
MOMENTARY_CODES = frozenset({"55P03", "25006"})
# Bad data and broken constraints: found by the very row, and answered where it was written. Whoever works by
# an engine refuses on them; the consumer, which works by `connect_as`, decides first and counts them too.
CLASSES_OF_ROWS = frozenset({"22", "23"})


def _connect_arguments(role: str, application_name: str) -> dict[str, str | int]:
    # A dead peer must be noticed by the kernel: keepalives, and a bound on unacknowledged bytes.
    return {
        "application_name": application_name,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": f"-c role={role} -c timezone=UTC -c lock_timeout={LOCK_TIMEOUT_MS} "
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS} -c jit=off",
    }


def libpq_url(database_url: str) -> str:
    """The URL as libpq takes it, whichever driver SQLAlchemy was told."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_role_engine(database_url: str, role: str, application_name: str) -> Engine:
    """A pool of connections that run as `role`. READ COMMITTED; pinged before use."""
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        connect_args=_connect_arguments(role, application_name),
        pool_size=POOL_SIZE,
        max_overflow=0,
        # The one that was used last has its statements prepared.
        pool_use_lifo=True,
        pool_pre_ping=True,
        # What is bound to a statement may be personal or sealed; an exception shall not carry it into a log.
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _count_error)
    return engine


def _count_error(context: ExceptionContext) -> None:
    state = getattr(context.original_exception, "sqlstate", None) or ""
    if state[:2] not in CLASSES_OF_ROWS:
        count_database_error(context.original_exception)


def connect_as(database_url: str, role: str, application_name: str) -> psycopg.Connection[tuple[object, ...]]:
    """One driver connection that runs as `role`, for the apply path and for LISTEN. Not in autocommit.

    Nothing counts its errors: who catches them calls `count_database_error`.
    """
    conninfo = make_conninfo(libpq_url(database_url), **_connect_arguments(role, application_name))
    return psycopg.connect(conninfo)


def is_momentary(error: psycopg.Error) -> bool:
    """Nothing is wrong with what was done: a deadlock, a time-out, a full disk. It may pass."""
    state = error.sqlstate or ""
    return state[:2] in MOMENTARY_CLASSES or state in MOMENTARY_CODES


@contextmanager
def tenant(engine: Engine, studio_id: UUID) -> Iterator[Connection]:
    """One transaction that sees `studio_id` alone; commits at the end, rolls back on an exception.

    The setting ends with the transaction, so a pooled connection carries no studio to its next user.
    """
    with engine.begin() as connection:
        enter_studio(connection, studio_id)
        yield connection


_ENTER = text("SELECT set_config('app.studio_id', :studio_id, true)")


def enter_studio(connection: Connection, studio_id: UUID) -> None:
    """From here on the transaction sees `studio_id` alone."""
    connection.execute(_ENTER, {"studio_id": str(studio_id)})
