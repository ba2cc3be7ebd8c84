"""What every benchmark stands on: private servers in a directory of their own, and databases on them.

Called by the benchmarks. What is compared in one run gets the same server, settings and schema.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from benchmarks.subjects import create_studios
from benchmarks.workers import ROOT
from bus.transports import RabbitBus
from models import migrate, roles
from runtime.postgres import PostgresInstallation, PostgresServer, PostgresUnavailable, find_installations
from runtime.rabbitmq import RabbitServer, ensure_installation

# The same for all sides. No checkpoint and no vacuum falls into a measurement: each begins after one.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers of one run, RabbitMQ if it was wanted; `versions` is a line for the report."""

    postgres: PostgresServer
    rabbit: RabbitServer | None
    pgbench: Path
    directory: Path
    versions: str

    @property
    def amqp_url(self) -> str | None:
        return None if self.rabbit is None else self.rabbit.amqp_url

    def make_database(self, name: str) -> str:
        """A migrated database with the studios of `benchmarks.subjects`; gives the owner's URL."""
        self.postgres.create_database(name)
        url = self.postgres.url(name)
        engine = owner_engine(url)
        with engine.begin() as connection:
            roles.bootstrap(connection)
        migrate.upgrade(url)
        with engine.begin() as connection:
            create_studios(connection)
        return url

    def copy_database(self, name: str, template: str) -> str:
        """A file by file copy, which spares the write-ahead log; gives the owner's URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with self._server() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.postgres.url(name)

    @contextmanager
    def fresh_copy(self, template: str) -> Iterator[str]:
        """A copy of a database, after a checkpoint; dropped after the block."""
        url = self.copy_database("measured", template)
        with self._server() as connection:
            connection.execute("CHECKPOINT")
            try:
                yield url
            finally:
                connection.execute("DROP DATABASE measured WITH (FORCE)")

    def _server(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.postgres.url("postgres"), autocommit=True)


def owner_engine(url: str) -> Engine:
    """Connections as the owner of the tables, under no role; none is kept open."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


def _pgbench_installation() -> tuple[PostgresInstallation, Path]:
    for installation in find_installations():
        pgbench = installation.bin_dir / "pgbench"
        if pgbench.exists():
            return installation, pgbench
    raise PostgresUnavailable("No installed PostgreSQL has pgbench beside it.")


@contextmanager
def private_ground(*, with_rabbit: bool, counting_statements: bool = False) -> Iterator[Ground]:
    """Durable servers for the length of a block, on the PostgreSQL that has pgbench beside it.

    `counting_statements` loads pg_stat_statements, which costs a few hundredths of the speed.
    """
    directory = Path(tempfile.mkdtemp(prefix="billbus-benchmark-"))
    directory.chmod(0o755)
    installation, pgbench = _pgbench_installation()
    counting = {"shared_preload_libraries": "pg_stat_statements"} if counting_statements else {}
    settings = {**POSTGRES_SETTINGS, **counting}
    postgres = PostgresServer(directory, installation=installation, settings=settings)
    versions = f"PostgreSQL {installation.version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"
    try:
        postgres.start()
        with _rabbit(directory, wanted=with_rabbit) as rabbit:
            yield Ground(postgres, rabbit, pgbench, directory, versions)
    finally:
        postgres.erase()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _rabbit(directory: Path, *, wanted: bool) -> Iterator[RabbitServer | None]:
    if not wanted:
        yield None
        return
    rabbit = RabbitServer(directory, installation=ensure_installation(ROOT / ".tools", print))
    try:
        rabbit.start()
        RabbitBus(rabbit.amqp_url, "benchmark").declare()
        yield rabbit
    finally:
        rabbit.erase()
