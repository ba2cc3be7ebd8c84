"""Who asks, and by which scheme: a gateway that we trust says so, and nobody else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from runtime.ports import LOOPBACK, free_port
from runtime.processes import Child
from runtime.stack_crew import answers
from runtime.stack_services import ROOT
from tests.servers import open_directory

START_SECONDS_MAX = 20.0
CUSTOMER = "203.0.113.7"
SAID = {"X-Forwarded-For": CUSTOMER, "X-Forwarded-Proto": "https"}


@contextmanager
def serving(trusted: str) -> Iterator[str]:
    """An address that tells who asks."""
    port = free_port()
    command = [sys.executable, "-m", "tests.integration.web.telling_process", str(port), trusted]
    with (
        open_directory() as directory,
        Child("telling", command, log_file=directory / "log", working_directory=ROOT) as child,
    ):
        wait_until_answering(child, f"http://{LOOPBACK}:{port}/")
        yield f"http://{LOOPBACK}:{port}/"


def wait_until_answering(child: Child, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not answers(url):
        assert time.monotonic() < deadline, child.read_log()
        assert child.exit_code is None, child.read_log()
        time.sleep(0.05)


def told(url: str, headers: dict[str, str]) -> tuple[str, str]:
    seen = httpx.get(url, headers=headers, trust_env=False).json()
    return seen["address"], seen["scheme"]


def test_without_a_trusted_gateway_nobody_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own, which is not ours
    with serving("") as url:
        assert told(url, SAID) == (LOOPBACK, "http")


def test_trusted_gateway_is_believed_and_what_was_before_it_is_not() -> None:
    with serving("127.0.0.0/8, 10.1.0.0/16") as url:
        assert told(url, {}) == (LOOPBACK, "http")
        assert told(url, SAID) == (CUSTOMER, "https")
        # What somebody wrote himself stands to the left of what our gateway has seen.
        forged = {**SAID, "X-Forwarded-For": f"198.51.100.1, {CUSTOMER}"}
        assert told(url, forged) == (CUSTOMER, "https")
        behind_two = {**SAID, "X-Forwarded-For": f"{CUSTOMER}, 10.1.2.3"}
        assert told(url, behind_two) == (CUSTOMER, "https")


def test_stranger_beside_the_trusted_gateway_is_not_believed() -> None:
    with serving("10.1.0.0/16") as url:
        assert told(url, SAID) == (LOOPBACK, "http")
