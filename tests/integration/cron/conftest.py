"""Cron alone with one studio in a database of its own: jobs walk through everybody's subscriptions."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.integration.cron.watches import Watch
from tests.integration.state_updater.shops import Shop, faults


@pytest.fixture
def shop(databases: Databases) -> Iterator[Shop]:
    with databases.fresh() as url:
        opened = Shop(url)
        opened.set_up()
        yield opened
        opened.close()
        assert faults(url) == []


@pytest.fixture
def watch(shop: Shop) -> Iterator[Watch]:
    opened = Watch(shop)
    yield opened
    opened.close()
