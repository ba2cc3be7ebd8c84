"""One database per module, a studio per test; after each module every invariant must hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.settings import TaskSettings, load_settings
from state_updater.tasks import desk as desk_module
from state_updater.tasks.app import make_app
from tests.contract.providers.terminals import Twin
from tests.databases import Databases
from tests.integration.state_updater.shops import SEALING_KEY, Shop, faults
from tests.integration.state_updater.stages import Stage
from tests.integration.state_updater.terminals import Terminal


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


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    twin = Twin(tmp_path_factory.mktemp("twin"))
    twin.start()
    yield twin
    twin.stop()


@pytest.fixture
def terminal(
    house: str, shared_twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    monkeypatch.setenv("DATABASE_URL", house)
    monkeypatch.setenv("SEALING_KEY", SEALING_KEY)
    monkeypatch.setenv("CELERY_FOLDER", str(tmp_path))
    desk_module.desk.cache_clear()
    make_app(load_settings(TaskSettings)).set_default()
    shared_twin.script()
    shop = Stage(house)
    yield Terminal(shop, shared_twin, tmp_path)
    desk = desk_module.desk()
    desk.engine.dispose()
    desk.outlet.close()
    for client in desk._clients.values():
        client.close()
    desk_module.desk.cache_clear()
    shared_twin.script()
    shop.close()
