"""One database per module, a studio per test, and a server of its own for tests that kill it."""

from collections.abc import Iterator

import pytest

from runtime.ports import free_port
from runtime.postgres import PostgresServer
from tests.databases import Databases
from tests.integration.state_updater.conftest import house, shop
from tests.integration.state_updater.shops import Shop, faults
from tests.servers import main_installation, open_directory

__all__ = ["house", "shop"]


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """On a fixed port, so that it is found again after it was killed."""
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
    """A studio in a database of its own, on the server that may be killed."""
    with own_databases.fresh() as url:
        opened = Shop(url)
        opened.set_up()
        yield opened
        opened.close()
        assert faults(url) == []
