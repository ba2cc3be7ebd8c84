"""A fresh migrated database for each test, copied from one template per server.

Imported by the conftests of the tiers that need it. Migrating takes seconds, copying some milliseconds.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from models import migrate, roles
from runtime.postgres import PostgresServer
from tests.servers import main_installation, wheel_installation

TEMPLATE = "billbus_template"
BOTH_SERVERS = ["databases"] + (["wheel_databases"] if wheel_installation() != main_installation() else [])


def owner_engine(url: str) -> Engine:
    """Connections as the owner of the tables, under no role; none is kept open."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


class Databases:
    """The databases of one server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        with self._server_connection() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        with owner_engine(server.url(TEMPLATE)).begin() as connection_of_template:
            roles.bootstrap(connection_of_template)
        migrate.upgrade(server.url(TEMPLATE))
        self._filled: dict[Callable[[str], object], str] = {}

    @contextmanager
    def fresh(
        self, *, migrated: bool = True, filled_by: Callable[[str], object] | None = None
    ) -> Iterator[str]:
        """The URL of a database of its own, owner's login; gone after the block, connections or not.

        `filled_by` is called once with the URL of a template, for all that are to begin with what it makes.
        """
        name = f"test_{secrets.token_hex(6)}"
        template = self._template(filled_by) if filled_by else TEMPLATE
        self.server.create_database(name, template if migrated else None)
        try:
            yield self.server.url(name)
        finally:
            with self._server_connection() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _template(self, fill: Callable[[str], object]) -> str:
        if fill not in self._filled:
            name = f"billbus_filled_{secrets.token_hex(6)}"
            self.server.create_database(name, TEMPLATE)
            fill(self.server.url(name))
            self._filled[fill] = name
        return self._filled[fill]

    def _server_connection(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.server.url("postgres"), autocommit=True)


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> Databases:
    """On the server that all tests run on."""
    return Databases(postgres)


@pytest.fixture(scope="session")
def wheel_databases(wheel_postgres: PostgresServer) -> Databases:
    """On the server that ./run brings, where it is another one."""
    return Databases(wheel_postgres)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh migrated database."""
    with databases.fresh() as url:
        yield url


@pytest.fixture(params=BOTH_SERVERS)
def each_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh migrated database on each version of PostgreSQL that is here."""
    with request.getfixturevalue(request.param).fresh() as url:
        yield url


@pytest.fixture(params=BOTH_SERVERS)
def each_empty_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables, on each version of PostgreSQL that is here; the roles are there."""
    with request.getfixturevalue(request.param).fresh(migrated=False) as url:
        yield url
