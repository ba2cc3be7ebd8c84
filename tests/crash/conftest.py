"""The warm stacks, and how often and in which order the points are played."""

import random
import secrets
from collections.abc import Iterator

import pytest

from tests.crash.keeper import Keeper
from tests.crash.stack import Stack

SEED_BITS = 32
SEED = pytest.StashKey[int]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All `POINTS` of the module, each round in an order of its own."""
    if "point" not in metafunc.fixturenames:
        return
    config = metafunc.config
    chance = random.Random(_seed_of(config))
    points, ids = [], []
    for number in range(1, config.getoption("--crash-rounds") + 1):
        for point in chance.sample(metafunc.module.POINTS, len(metafunc.module.POINTS)):
            points.append(point)
            ids.append(f"{point}-round{number}" if number > 1 else str(point))
    metafunc.parametrize("point", points, ids=ids)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(f"crash points were played in the order of --crash-seed={_seed_of(config)}")


def _seed_of(config: pytest.Config) -> int:
    if SEED not in config.stash:
        given: int | None = config.getoption("--crash-seed")
        config.stash[SEED] = secrets.randbits(SEED_BITS) if given is None else given
    return config.stash[SEED]


@pytest.fixture(scope="module")
def keeper(request: pytest.FixtureRequest) -> Iterator[Keeper]:
    """Of the module's `ON_RABBITMQ`."""
    keeper = Keeper(on_rabbitmq=request.module.ON_RABBITMQ)
    yield keeper
    keeper.close()


@pytest.fixture
def stack(request: pytest.FixtureRequest, keeper: Keeper) -> Iterator[Stack]:
    """Running and unarmed. What a failed test has left is thrown away."""
    failures = request.session.testsfailed
    yield keeper.lend()
    keeper.take_back(is_good=request.session.testsfailed == failures)
