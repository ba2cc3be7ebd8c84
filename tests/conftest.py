"""The servers that tests share. Started when the first test asks for them, ended with the run."""

import secrets
from collections.abc import Iterator

import pytest
import structlog

from runtime.postgres import PostgresServer
from runtime.rabbitmq import RabbitServer
from tests.servers import (
    given_amqp_url,
    main_installation,
    private_postgres,
    private_rabbit,
    wheel_installation,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here because pytest reads options before it looks into the tiers' folders."""
    group = parser.getgroup("billbus")
    group.addoption("--crash-rounds", type=int, default=1, help="Play all crash points so many times.")
    group.addoption("--pictures", default=None, metavar="DIR", help="Keep pictures of the pages there.")
    group.addoption("--crash-seed", type=int, default=None, help="The seed that orders them, as printed.")


@pytest.fixture(scope="session", autouse=True)
def loggers_stay_loose() -> Iterator[None]:
    """What a process configures it keeps; here the next test listens to the same logger (`capture_logs`)."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        loose = {"cache_logger_on_first_use": False}
        patch.setattr(structlog, "configure", lambda **given: configure(**given | loose))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private server, shared. Tests that kill a server start a durable one of their own."""
    with private_postgres(main_installation()) as server:
        yield server


@pytest.fixture(scope="session")
def wheel_postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server of the version that ./run brings; `postgres` itself where that is the only one."""
    if wheel_installation() == main_installation():
        yield request.getfixturevalue("postgres")
    else:
        with private_postgres(wheel_installation()) as server:
            yield server


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitServer]:
    """A private node with the management plugin."""
    with private_rabbit() as server:
        yield server


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A virtual host of the test's own, or the one of TEST_AMQP_URL, which tests must then leave clean."""
    given = given_amqp_url()
    if given is not None:
        yield given
        return
    node: RabbitServer = request.getfixturevalue("rabbit")
    name = f"test-{secrets.token_hex(6)}"
    yield node.create_vhost(name)
    node.delete_vhost(name)
