"""The benchmark still runs; how fast it is, no test judges."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
RUN_SECONDS_MAX = 110


@pytest.mark.timeout(RUN_SECONDS_MAX + 10)
def test_quick_run_does_the_same_work_both_ways_and_ends_with_json() -> None:
    """It raises by itself if pgbench and consumers leave different rows, or if the books do not verify."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.commands", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert next(iter(summary)) == "ratio"
    assert summary["ratio"] > 0
    assert summary["rounds"] == 1
    assert summary["books"] == "verified"
    assert all(mib > 0 for mib in summary["resident_mib"].values())
