"""The benchmarks of the product over HTTP, in a grown database and of the admin's lists still run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
RUN_SECONDS_MAX = 110


def run_quickly(benchmark: str) -> dict[str, Any]:
    """The last line of a tiny run that ended well."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{benchmark}", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


@pytest.mark.timeout(RUN_SECONDS_MAX + 10)
@pytest.mark.parametrize("benchmark", ["reads", "growth", "admin"])
def test_quick_run_ends_with_json_that_begins_with_a_ratio(benchmark: str) -> None:
    """Reads raises by itself if the API and its rival answer differently."""
    summary = run_quickly(benchmark)
    assert next(iter(summary)) == "ratio"
    assert summary["ratio"] > 0
    assert "PostgreSQL" in summary["versions"]


@pytest.mark.timeout(RUN_SECONDS_MAX + 10)
def test_quick_run_of_accept_sees_every_command_applied_on_both_buses() -> None:
    summary = run_quickly("accept")
    for bus in ("RabbitMQ", "embedded"):
        assert summary[bus]["accepted_per_second"] > 0
        assert 0 < summary[bus]["p50_ms"] <= summary[bus]["p95_ms"] <= summary[bus]["p99_ms"]
        assert summary[bus]["not_applied_in_time"] == 0
