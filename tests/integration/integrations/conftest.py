"""A house per test, on either bus: alone in its database, because the relay and the log are for everybody."""

from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from bus.port import SUBSCRIPTIONS
from bus.topology import dead_letter_queues, event_queue
from bus.transports import RabbitBus
from runtime.ports import free_port
from runtime.postgres import PostgresServer
from tests.databases import Databases
from tests.integration.integrations.hearing import House
from tests.integration.state_updater.shops import Shop
from tests.servers import main_installation, open_directory


@pytest.fixture
def events_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A broker with every queue declared, which is left empty."""
    url: str = request.getfixturevalue("amqp_url")
    RabbitBus(url, "test").declare()
    yield url
    connection = pika.BlockingConnection(pika.URLParameters(url))
    for queue in (*dead_letter_queues(), *(event_queue(one.consumer) for one in SUBSCRIPTIONS)):
        connection.channel().queue_purge(queue)
    connection.close()


@pytest.fixture
def shop(databases: Databases) -> Iterator[Shop]:
    with databases.fresh() as url:
        opened = Shop(url)
        opened.set_up()
        yield opened
        opened.close()


@pytest.fixture(params=["embedded", "rabbit"])
def house(request: pytest.FixtureRequest, shop: Shop, tmp_path: Path) -> Iterator[House]:
    url = request.getfixturevalue("events_url") if request.param == "rabbit" else None
    opened = House(shop, url, tmp_path)
    yield opened
    opened.kill()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """On a fixed port, so that it is found again after it was stopped."""
    with open_directory() as directory:
        server = PostgresServer(directory, installation=main_installation(), port=free_port())
        try:
            server.start()
            yield server
        finally:
            server.erase()


@pytest.fixture(scope="module")
def own_databases(own_postgres: PostgresServer) -> Databases:
    return Databases(own_postgres)


@pytest.fixture
def own_shop(own_databases: Databases) -> Iterator[Shop]:
    """On the server that may be stopped."""
    with own_databases.fresh() as url:
        opened = Shop(url)
        opened.set_up()
        yield opened
        opened.close()


@pytest.fixture(params=["embedded", "rabbit"])
def own_house(request: pytest.FixtureRequest, own_shop: Shop, tmp_path: Path) -> Iterator[House]:
    url = request.getfixturevalue("events_url") if request.param == "rabbit" else None
    opened = House(own_shop, url, tmp_path)
    yield opened
    opened.kill()
