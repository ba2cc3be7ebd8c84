"""Servers of this folder's own, because its tests kill them, and the two transports over them."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from kit.ids import new_id
from models.migrate import upgrade
from models.roles import bootstrap
from runtime.ports import free_port
from runtime.postgres import PostgresInstallation, PostgresServer
from runtime.rabbitmq import RabbitServer
from tests.contract.bus.transports import EmbeddedTransport, RabbitTransport, Transport
from tests.servers import main_installation, open_directory, private_rabbit, wheel_installation

TRANSPORTS = ["rabbit", "embedded"] + (
    ["wheel_embedded"] if wheel_installation() != main_installation() else []
)


@pytest.fixture(scope="package")
def bus_rabbit() -> Iterator[RabbitServer]:
    with private_rabbit() as server:
        yield server


@pytest.fixture(scope="package")
def studio_id() -> UUID:
    """There is a studio of this id on every server of this folder."""
    return new_id()


@pytest.fixture(scope="package")
def bus_postgres(studio_id: UUID) -> Iterator[PostgresServer]:
    with _postgres_with_studio(main_installation(), studio_id) as server:
        yield server


@pytest.fixture(scope="package")
def bus_wheel_postgres(studio_id: UUID) -> Iterator[PostgresServer]:
    """Of the version that ./run brings, where it is another one."""
    with _postgres_with_studio(wheel_installation(), studio_id) as server:
        yield server


@pytest.fixture
def rabbit_transport(bus_rabbit: RabbitServer) -> Iterator[RabbitTransport]:
    virtual_host = f"bus-{new_id()}"
    yield RabbitTransport(bus_rabbit, bus_rabbit.create_vhost(virtual_host))
    bus_rabbit.delete_vhost(virtual_host)


@pytest.fixture
def embedded_transport(bus_postgres: PostgresServer) -> EmbeddedTransport:
    return _empty_transport(bus_postgres)


@pytest.fixture
def wheel_embedded_transport(bus_wheel_postgres: PostgresServer) -> EmbeddedTransport:
    return _empty_transport(bus_wheel_postgres)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    transport: Transport = request.getfixturevalue(f"{request.param}_transport")
    return transport


def _empty_transport(server: PostgresServer) -> EmbeddedTransport:
    transport = EmbeddedTransport(server, server.url())
    transport.execute("DELETE FROM command_journal")
    transport.execute("DELETE FROM inbox")
    return transport


@contextmanager
def _postgres_with_studio(installation: PostgresInstallation, studio_id: UUID) -> Iterator[PostgresServer]:
    """On a fixed port, so that it is found again after it was killed."""
    with open_directory() as directory:
        server = PostgresServer(directory, installation=installation, port=free_port())
        try:
            server.start()
            _migrate(server.url())
            with psycopg.connect(server.url()) as connection:
                connection.execute(
                    "INSERT INTO studio (id, name, host, timezone, currency)"
                    " VALUES (%s, 'Bus', 'bus', 'UTC', 'RUB')",
                    [studio_id],
                )
            yield server
        finally:
            server.erase()


def _migrate(database_url: str) -> None:
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        bootstrap(connection)
    engine.dispose()
    upgrade(database_url)
