"""`./run` as a person meets it: the story on both buses, state that is kept, and nothing left behind."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from runtime.ports import LOOPBACK, free_port
from runtime.postgres import PostgresServer
from runtime.processes import Child
from tests.servers import open_directory

# What a start waits for may have the story in it.
START_SECONDS_MAX = 90.0
STORY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
GONE_SECONDS_MAX = 20.0  # RabbitMQ's guardian gives the node a grace
pytestmark = pytest.mark.timeout(300)

SERVES, SERVING, HELD = "Everything serves after", "Ctrl-C ends it", "Every step held"


@contextmanager
def run(state_dir: Path, *words: str, **environment: str) -> Iterator[Child]:
    """`./run` without its set-up of the environment, on a port of its own."""
    log_file = state_dir / f"run-{time.monotonic_ns()}.log"
    given = {name: value for name, value in os.environ.items() if name not in ("AMQP_URL", "DATABASE_URL")}
    child = Child(
        "run",
        [sys.executable, "-m", "runtime.stack", "--port", str(free_port()), *words],
        log_file=log_file,
        environment={**given, "BILLBUS_STATE": str(state_dir), **environment},
    )
    with child:
        yield child


def descendants(process_id: int) -> set[int]:
    """Processes that this one started, directly or not."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold spaces; the parent is the second word after it.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {process_id}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process_id}


def started_by(one: Child) -> set[int]:
    """All processes of a stack that serves."""
    assert one.process_id is not None, one.read_log()
    found = descendants(one.process_id)
    assert len(found) >= 7, "a stack has a server, five services and the twin at least"
    return found


def wait_for_log(one: Child, words: str, seconds_max: float) -> None:
    """Fails with all that was printed: the directory is gone when somebody reads of it."""
    try:
        one.wait_for_log(words, seconds_max)
    except TimeoutError:
        pytest.fail(f"{words!r} was not printed, but:\n{one.read_log()}")


def wait_until_gone(process_ids: set[int]) -> None:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while left := [one for one in process_ids if Path(f"/proc/{one}").exists()]:
        assert time.monotonic() < deadline, [Path(f"/proc/{one}/cmdline").read_text() for one in left]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """A state directory in which the story has been played once."""
    with open_directory() as directory:
        with run(directory, "--once") as one:
            wait_for_log(one, SERVES, START_SECONDS_MAX)
            processes = started_by(one)
            assert one.wait(STORY_SECONDS_MAX) == 0, one.read_log()
            assert "embedded bus" in one.read_log().splitlines()[0]
            assert HELD in one.read_log()
            wait_until_gone(processes)
        yield directory


def test_kept_state_is_found_again_and_ctrl_c_leaves_nothing(kept: Path) -> None:
    with run(kept) as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        assert HELD in one.read_log()
        assert "-000001" not in one.read_log(), "the second story has the first invoice's number"
        processes = started_by(one)
        with run(kept, "--once") as second:
            assert second.wait(START_SECONDS_MAX) == 1
            assert f"in use by the running process {one.process_id}" in second.read_log()
        assert one.process_id is not None
        os.kill(one.process_id, signal.SIGINT)
        assert one.wait(STOP_SECONDS_MAX) == 0
        assert "Traceback" not in one.read_log()
        wait_until_gone(processes)


def test_dead_service_is_started_again_and_kill_of_the_parent_leaves_nothing(kept: Path) -> None:
    with run(kept) as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        os.kill(_process_running("billing_consumer", started_by(one)), signal.SIGKILL)
        wait_for_log(one, "billing_consumer.0 had ended and was started again", STOP_SECONDS_MAX)
        processes = started_by(one)
        one.kill()
        wait_until_gone(processes)


def test_story_holds_on_a_private_rabbitmq_whose_end_leaves_nothing() -> None:
    with open_directory() as directory, run(directory, "--bus", "rabbitmq") as one:
        wait_for_log(one, SERVING, START_SECONDS_MAX)
        assert "RabbitMQ" in one.read_log().splitlines()[0]
        assert HELD in one.read_log()
        processes = started_by(one)
        assert any("epmd" in _command(each) for each in processes), "RabbitMQ is not among our processes"
        one.kill()
        wait_until_gone(processes)


def test_database_of_another_studio_is_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.create_database("someones")
    with psycopg.connect(postgres.url("someones")) as connection:
        connection.execute("CREATE TABLE studio AS SELECT 'rhythm.example.org' AS host")
    with run(tmp_path, "--once", DATABASE_URL=postgres.url("someones")) as one:
        assert one.wait(START_SECONDS_MAX) == 1
        assert "holds the studio of rhythm.example.org" in one.read_log()
        assert "Traceback" not in one.read_log()


def test_port_that_is_taken_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        taken = listener.getsockname()[1]
        with run(tmp_path, "--once", "--port", str(taken)) as one:
            assert one.wait(START_SECONDS_MAX) == 1
            assert f"Port {taken} is in use" in one.read_log()


def test_story_that_finds_nobody_fails_and_says_what_it_expected(tmp_path: Path) -> None:
    nobody = f"http://localhost:{free_port()}"
    words = ["--api", nobody, "--admin", nobody, "--staff", "a@b", "--twin", nobody, "--mailbox", nobody]
    words += ["--logs", "/some/logs"]
    command = [sys.executable, "-m", "demo", *words]
    with Child("story", command, log_file=tmp_path / "story.log") as story:
        assert story.wait(START_SECONDS_MAX) == 1
        said = story.read_log()
    assert f"an answer from {nobody}" in said
    assert "/some/logs" in said


def _process_running(module: str, process_ids: set[int]) -> int:
    return next(one for one in process_ids if f"-m {module}" in _command(one))


def _command(process_id: int) -> str:
    return Path(f"/proc/{process_id}/cmdline").read_text().replace("\0", " ")
