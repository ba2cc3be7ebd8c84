"""A process of our own passes a point until it is told to die there."""

import os
import signal
import subprocess
import sys

PASSING = """
from runtime.crash_points import crash_point
for number in range(3):
    crash_point("another")
    print(number, flush=True)
    crash_point("here")
"""


def pass_with(crash_at: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CRASH_AT": crash_at}
    return subprocess.run(
        [sys.executable, "-c", PASSING], env=environment, capture_output=True, text=True, timeout=30
    )


def test_a_process_dies_at_the_nth_passing_of_its_point() -> None:
    died = pass_with("here:2")
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "0\n1\n")


def test_other_points_are_passed() -> None:
    passed = pass_with("elsewhere:1")
    assert (passed.returncode, passed.stdout) == (0, "0\n1\n2\n")
