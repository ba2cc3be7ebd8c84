"""The real servers that tests run on, as private throw-away nodes.

Called by conftest and by the benchmarks. A server that cannot be had is an error, never a skipped test.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.postgres import PostgresInstallation, PostgresServer, PostgresUnavailable, find_installations
from runtime.postgres_installations import Origin
from runtime.rabbitmq import RabbitServer, ensure_installation

TOOLS_DIR = Path(__file__).resolve().parent.parent / ".tools"
AMQP_VARIABLE = "TEST_AMQP_URL"
# One server has the pools of many applications, one after another.
SETTINGS = {"max_connections": "400"}


def main_installation() -> PostgresInstallation:
    """The one all tests run on: given, else the newest installed, else the wheel's."""
    order = (Origin.GIVEN, Origin.SYSTEM, Origin.WHEEL)
    found = sorted(find_installations(), key=lambda one: order.index(one.origin))
    if not found:
        raise PostgresUnavailable("The tests need a PostgreSQL 15 or newer.")
    return found[0]


def wheel_installation() -> PostgresInstallation:
    """The one that ./run uses; it is a dependency, so it is always there where it has a wheel."""
    for installation in find_installations():
        if installation.origin is Origin.WHEEL:
            return installation
    return main_installation()


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that other accounts may enter (pytest's own may not), removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="billbus-test-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def private_postgres(installation: PostgresInstallation) -> Iterator[PostgresServer]:
    """A throw-away server for the length of a block: real in all but surviving a power cut.

    Tests of crashes start durable ones of their own.
    """
    with open_directory() as directory:
        server = PostgresServer(directory, installation=installation, settings=SETTINGS, durable=False)
        try:
            server.start()
            yield server
        finally:
            server.erase()


@contextmanager
def private_rabbit(*, management: bool = True) -> Iterator[RabbitServer]:
    """A node for the length of a block; the end is a kill, which is five seconds quicker than a stop."""
    with open_directory() as directory:
        installation = ensure_installation(TOOLS_DIR, print)
        server = RabbitServer(directory, installation=installation, management=management)
        try:
            server.start()
            yield server
        finally:
            server.erase()


def given_amqp_url() -> str | None:
    """A running broker to use instead of a private node."""
    return os.environ.get(AMQP_VARIABLE)
