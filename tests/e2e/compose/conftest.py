"""The stack of docker-compose.yml, started once for this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.project import make_project
from tests.compose.stack import NativeStack
from tests.e2e.compose.town import Town, callbacks_through_gateway
from tests.servers import open_directory

# As .env.example says for the profile dev.
MAIL = {"SMTP_HOST": "mailbox", "SMTP_PORT": "1025", "SMTP_SECURITY": "none"}
# What production counts in minutes after a failure would make bad days long.
TIMES = {"NOTIFY_EVERY_SECONDS": "1"}


@pytest.fixture(scope="package")
def place() -> Iterator[Path]:
    with open_directory() as directory:
        (directory / "project").mkdir()
        yield directory


@pytest.fixture(scope="package")
def town(place: Path) -> Iterator[Town]:
    """Everything serves."""
    settings = make_project(place / "project", **MAIL, **TIMES)
    stack = NativeStack(place / "project", place / "stack")
    try:
        stack.start()
        there = Town(stack, place / "project", settings)
        with callbacks_through_gateway(there):
            yield there
    finally:
        stack.stop()
