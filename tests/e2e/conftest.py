"""A stack that serves and a browser at its pages, for the tests of what people see."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from runtime.ports import free_port
from runtime.stack_secrets import SHELL_FILE
from tests.browser import open_browser
from tests.e2e.test_run import SERVING, START_SECONDS_MAX, run, wait_for_log
from tests.servers import open_directory

WIDE = {"width": 1100, "height": 900}
NARROW = {"width": 390, "height": 844}
ANSWER_MS_MAX = 20_000
JOB_SECONDS_MAX = 60.0
# A command that is refused is an answer as well; the browser calls it an error.
REFUSED = "status of 409"


class Town:
    """Addresses of a stack that serves, and its clock."""

    def __init__(self, directory: Path, said: str) -> None:
        self.client_url = _found(r"Client page +(http://localhost:\d+)/", said)
        self.mailbox_url = _found(r"Letters +(http://127\.0\.0\.1:\d+)/", said)
        self._database_url = _found(r"export DATABASE_URL=(\S+)", (directory / SHELL_FILE).read_text())

    def go_ahead(self, seconds: int, *jobs: str) -> None:
        """So much later, jobs of the clock run; 0: now."""
        self._billbus("demo", "clock", str(seconds))
        for job in jobs:
            self._billbus("cron", "run", job)

    def letter(self) -> str:
        """The address of the newest letter's HTML."""
        newest = httpx.get(f"{self.mailbox_url}/_mailbox/messages", params={"limit": 1}).json()[0]
        return f"{self.mailbox_url}/messages/{newest['id']}/html"

    def _billbus(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            env={**os.environ, "DATABASE_URL": self._database_url},
            check=True,
            timeout=JOB_SECONDS_MAX,
        )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with open_directory() as directory, run(directory, "--admin-port", str(free_port())) as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        yield Town(directory, one.read_log())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Says yes to every question. Fails if a page broke a script or its content policy."""
    context = browser.new_context(viewport=WIDE, locale="en-US", timezone_id="Europe/Moscow")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS_MAX)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" and REFUSED not in said.text else None,
    )
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def photograph(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture of what is seen, when somebody asked for pictures."""
    directory: str | None = request.config.getoption("--pictures")

    def keep(page: Page, name: str) -> None:
        if directory is not None:
            page.screenshot(path=Path(directory) / f"{name}.png", full_page=name == "letter")

    return keep
