"""One database per module, a studio per test; after each module every invariant must hold."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.integration.state_updater.shops import Shop, faults
from tests.integration.state_updater.stages import Stage


@pytest.fixture(scope="module")
def house(databases: Databases) -> Iterator[str]:
    """The URL of a database that many studios share."""
    with databases.fresh() as url:
        yield url
        assert faults(url) == []


@pytest.fixture
def shop(house: str) -> Iterator[Shop]:
    opened = Shop(house)
    opened.set_up()
    yield opened
    opened.close()


@pytest.fixture
def other_shop(house: str) -> Iterator[Shop]:
    opened = Shop(house)
    opened.set_up()
    yield opened
    opened.close()


@pytest.fixture
def stage(house: str) -> Iterator[Stage]:
    opened = Stage(house)
    opened.set_up()
    yield opened
    opened.close()
