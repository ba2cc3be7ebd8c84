"""A house per test, on either bus: alone in its database, because the relay and the log are for everybody."""

from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from bus.port import SUBSCRIPTIONS
from bus.topology import dead_letter_queues, event_queue
from bus.transports import RabbitBus
from tests.databases import Databases
from tests.integration.billing_consumer.conftest import own_databases, own_postgres
from tests.integration.integrations.hearing import House
from tests.integration.state_updater.shops import Shop

__all__ = ["own_databases", "own_postgres"]


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
