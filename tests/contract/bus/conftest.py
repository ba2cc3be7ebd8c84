"""Servers of this folder's own, because its tests kill them, and the two transports over them."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from kit.ids import new_id
from models.migrate import upgrade
from models.roles import bootstrap
from runtime.ports import free_port
from runtime.postgres import PostgresServer
from runtime.rabbitmq import RabbitServer
from tests.contract.bus.transports import EmbeddedTransport, RabbitTransport, Transport
from tests.servers import main_installation, open_directory, private_rabbit


@pytest.fixture(scope="package")
def bus_rabbit() -> Iterator[RabbitServer]:
    with private_rabbit() as server:
        yield server


@pytest.fixture(scope="package")
def bus_postgres() -> Iterator[PostgresServer]:
    """On a fixed port, so that it is found again after it was killed."""
    with open_directory() as directory:
        server = PostgresServer(directory, installation=main_installation(), port=free_port())
        try:
            server.start()
            _migrate(server.url())
            yield server
        finally:
            server.erase()


@pytest.fixture(scope="package")
def studio_id(bus_postgres: PostgresServer) -> UUID:
    studio_id = new_id()
    with psycopg.connect(bus_postgres.url()) as connection:
        connection.execute(
            "INSERT INTO studio (id, name, host, timezone, currency) VALUES (%s, 'Bus', 'bus', 'UTC', 'RUB')",
            [studio_id],
        )
    return studio_id


@pytest.fixture
def rabbit_transport(bus_rabbit: RabbitServer) -> Iterator[RabbitTransport]:
    virtual_host = f"bus-{new_id()}"
    yield RabbitTransport(bus_rabbit, bus_rabbit.create_vhost(virtual_host))
    bus_rabbit.delete_vhost(virtual_host)


@pytest.fixture
def embedded_transport(bus_postgres: PostgresServer, studio_id: UUID) -> EmbeddedTransport:
    transport = EmbeddedTransport(bus_postgres, bus_postgres.url())
    transport.execute("DELETE FROM command_journal")
    transport.execute("DELETE FROM inbox")
    return transport


@pytest.fixture(params=["rabbit", "embedded"])
def transport(request: pytest.FixtureRequest) -> Transport:
    transport: Transport = request.getfixturevalue(f"{request.param}_transport")
    return transport


def _migrate(database_url: str) -> None:
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        bootstrap(connection)
    engine.dispose()
    upgrade(database_url)
