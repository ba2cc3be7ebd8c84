import os
import signal
import sys
import time
from pathlib import Path

import pytest

from runtime.processes import FIRST_RESTART_DELAY_SECONDS, LONGEST_RESTART_DELAY_SECONDS, Child, Supervisor

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
WITH_GRANDCHILD = (
    "import subprocess as s, time; print(s.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
)
PARENT = (
    "import sys, time, pathlib; from runtime.processes import Child\n"
    "one = Child('one', [sys.executable, '-c', 'import time; time.sleep(60)'],"
    " log_file=pathlib.Path(sys.argv[1])); one.start()\n"
    "print(one.process_id, flush=True); time.sleep(60)"
)


def make_child(tmp_path: Path, code: str, *, name: str = "one", restart: bool = False) -> Child:
    command = [sys.executable, "-c", code]
    return Child(name, command, log_file=tmp_path / f"{name}.log", restart=restart)


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(process_id: int) -> None:
    deadline = time.monotonic() + 10
    while is_running(process_id):
        assert time.monotonic() < deadline, f"process {process_id} is left running"
        time.sleep(0.02)


def test_child_prints_into_its_log_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    with make_child(tmp_path, "print('hello'); raise SystemExit(3)") as child:
        assert child.wait(10) == 3
        assert child.read_log() == "hello\n"


def test_child_that_does_not_hear_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    child = make_child(tmp_path, DEAF)
    child.start()
    child.wait_for_log("ready", 10)
    child.stop(grace_seconds=0.1)
    assert child.exit_code == -signal.SIGKILL


def test_kill_reaches_the_whole_group(tmp_path: Path) -> None:
    child = make_child(tmp_path, WITH_GRANDCHILD)
    child.start()
    child.wait_for_log("\n", 10)
    grandchild = int(child.read_log())
    child.kill()
    wait_until_gone(grandchild)


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = Child("parent", [sys.executable, "-c", PARENT, str(tmp_path / "log")], log_file=tmp_path / "p")
    with parent:
        parent.wait_for_log("\n", 10)
        assert parent.process_id is not None
        os.kill(parent.process_id, signal.SIGKILL)
        wait_until_gone(int(parent.read_log()))


def test_waiting_for_words_of_a_child_that_has_ended_fails_at_once(tmp_path: Path) -> None:
    with make_child(tmp_path, "pass") as child, pytest.raises(TimeoutError):
        child.wait_for_log("never", 30)


def test_dead_child_is_restarted_after_a_delay_that_doubles_up_to_a_cap(tmp_path: Path) -> None:
    child = make_child(tmp_path, "pass", restart=True)
    now, expected = 0.0, FIRST_RESTART_DELAY_SECONDS
    with Supervisor([child]) as supervisor:
        for _ in range(8):
            child.wait(10)
            assert supervisor.restart_dead(now) == []
            assert supervisor.restart_dead(now + expected * 0.9) == []
            now += expected
            assert supervisor.restart_dead(now) == ["one"]
            expected = min(expected * 2, LONGEST_RESTART_DELAY_SECONDS)


def test_child_that_is_not_to_be_restarted_is_reported_dead(tmp_path: Path) -> None:
    child = make_child(tmp_path, "pass")
    with Supervisor([child]) as supervisor:
        child.wait(10)
        assert supervisor.restart_dead(1e9) == []
        assert supervisor.dead() == [child]


def test_supervisor_stops_all_children_within_one_grace(tmp_path: Path) -> None:
    children = [make_child(tmp_path, DEAF, name=name) for name in ("one", "two", "three")]
    supervisor = Supervisor(children)
    supervisor.start()
    for child in children:
        child.wait_for_log("ready", 10)
    started_at = time.monotonic()
    supervisor.stop(grace_seconds=0.5)
    assert time.monotonic() - started_at < 1.4
    assert [child.exit_code for child in children] == [-signal.SIGKILL] * 3
