"""Connections to Postgres: every one under the role of its process, none as the owner.

`billbus_api` and `billbus_admin` see one studio at a time: the one set for the transaction by `tenant`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

CONNECT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 10_000
IDLE_TIMEOUT_MS = 30_000
POOL_SIZE = 10
POOL_OVERFLOW = 10


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
    return create_engine(
        url,
        connect_args=_connect_arguments(role, application_name),
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_pre_ping=True,
        # What is bound to a statement may be personal or sealed; an exception shall not carry it into a log.
        hide_parameters=True,
    )


def connect_as(database_url: str, role: str, application_name: str) -> psycopg.Connection[tuple[object, ...]]:
    """One driver connection that runs as `role`, for the apply path and for LISTEN. Not in autocommit."""
    conninfo = make_conninfo(libpq_url(database_url), **_connect_arguments(role, application_name))
    return psycopg.connect(conninfo)


@contextmanager
def tenant(engine: Engine, studio_id: UUID) -> Iterator[Connection]:
    """One transaction that sees `studio_id` alone; commits at the end, rolls back on an exception.

    The setting ends with the transaction, so a pooled connection carries no studio to its next user.
    """
    with engine.begin() as connection:
        connection.execute(
            text("SELECT set_config('app.studio_id', :studio_id, true)"), {"studio_id": str(studio_id)}
        )
        yield connection
