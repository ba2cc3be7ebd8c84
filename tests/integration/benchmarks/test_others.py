"""The benchmarks over HTTP, in a grown database, of the admin's lists and of bookings still run."""

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
@pytest.mark.parametrize("benchmark", ["reads", "growth", "admin", "availability"])
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


@pytest.mark.timeout(RUN_SECONDS_MAX + 10)
def test_quick_race_for_one_hall_gives_no_time_twice_and_shows_no_fault() -> None:
    """It raises by itself if the books do not verify."""
    summary = run_quickly("contested")
    assert summary["overlaps"] == 0
    assert summary["deadlocks_shown"] == 0
    assert summary["ratio_p99"] > 0
    assert summary["held"]["contested"] > 0
    assert summary["refused"]["contested"] > 0


@pytest.mark.timeout(RUN_SECONDS_MAX + 10)
def test_quick_run_of_bookings_sees_every_story_confirmed_and_says_what_one_costs() -> None:
    """It raises by itself for an answer that was not to be expected, and if the books do not verify."""
    summary = run_quickly("bookings")
    assert summary["stories_per_second"] > 0
    assert summary["on_site_per_second"] > 0
    assert summary["pgbench_tps"] > 0
    for payment, stage in (("online", "at the provider"), ("on_site", "check out")):
        details = summary[payment]
        assert 0 < details["ms by stage"][stage]["p50"] <= details["ms by stage"]["whole story"]["p50"]
        assert details["CPU ms a story"]["client_api"] > 0
        assert details["statements a story"]["billbus_updater"] > 0
