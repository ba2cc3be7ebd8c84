"""One error is one report, of code and ids and no values; whatever becomes of the collector, nobody waits."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.collectors import Collector, collecting, hawk_events, sentry_events
from tests.integration.runtime.failing import SECRET

FAILING = Path(__file__).parent / "failing.py"
CHECKOUT = Path(__file__).resolve().parents[3]
SETTLE_SECONDS_MAX = 30
KINDS = ("sentry", "hawk")

both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as listening:
        yield listening


def run(
    how: str, database_url: str = "postgresql://db/x", **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FAILING), how, database_url],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "DATABASE_URL": database_url, **settings},
        capture_output=True,
        text=True,
        timeout=SETTLE_SECONDS_MAX,
        check=False,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def title(kind: str, event: dict[str, Any]) -> str:
    if kind == "sentry":
        last = event["exception"]["values"][-1]
        return f"{last['type']}: {last['value']}"
    return str(event["payload"]["title"])


def events(kind: str, collector: Collector) -> list[dict[str, Any]]:
    return (sentry_events if kind == "sentry" else hawk_events)(collector.bodies)


@both
def test_a_report_says_which_service_where_and_under_which_ids(kind: str, collector: Collector) -> None:
    done = run("cause", **collector.settings(kind))
    assert done.returncode == 0
    (event,) = events(kind, collector)
    assert title(kind, event) == "RuntimeError: could not read the card"
    said = event["tags"] if kind == "sentry" else event["payload"]["context"]
    assert said.items() >= {"service.name": "failing", "trace.id": "trace-1"}.items()
    message = event["logentry"]["message"] if kind == "sentry" else said["message"]
    assert message == "cause broke"
    if kind == "sentry":
        frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
        assert frames[-1]["function"] == "outer"
        assert "raise RuntimeError" in frames[-1]["context_line"]
        assert [one["type"] for one in event["exception"]["values"]] == ["ValidationError", "RuntimeError"]
    else:
        assert event["catcherType"] == "errors/python"
        latest = event["payload"]["backtrace"][0]
        assert latest["function"] == "outer"
        assert "raise RuntimeError" in "".join(line["content"] for line in latest["sourceCode"])
        assert said["causes"][0].startswith("pydantic_core._pydantic_core.ValidationError")
    (line,) = lines(done)
    assert line["trace"] == {"id": "trace-1"}


@both
@pytest.mark.parametrize("how", ["row", "query", "validation", "url", "cause"])
def test_no_value_and_no_secret_leaves_with_a_report_or_a_line(
    how: str, kind: str, collector: Collector, database_url: str
) -> None:
    done = run(how, database_url, **collector.settings(kind))
    assert len(events(kind, collector)) == 1
    assert SECRET not in collector.bodies[0].decode()
    assert SECRET not in done.stdout + done.stderr
    assert len(lines(done)) == 1
    assert "breadcrumbs" not in collector.bodies[0].decode()
    assert '"vars"' not in collector.bodies[0].decode()


@both
@pytest.mark.parametrize(("how", "message"), [("unhandled", "process broke"), ("thread", "thread broke")])
def test_an_unhandled_exception_is_a_line_and_a_report(
    how: str, message: str, kind: str, collector: Collector
) -> None:
    done = run(how, **collector.settings(kind))
    assert done.returncode == (1 if how == "unhandled" else 0)
    (line,) = lines(done)
    assert (line["message"], line["log.level"]) == (message, "critical")
    assert "could not read the card" in line["error"]["stack_trace"]
    assert done.stderr == ""
    (event,) = events(kind, collector)
    assert title(kind, event) == "RuntimeError: could not read the card"


@both
def test_what_is_no_error_or_has_no_exception_is_not_reported(kind: str, collector: Collector) -> None:
    assert len(lines(run("quiet", **collector.settings(kind)))) == 2
    assert collector.bodies == []


@both
def test_a_collector_that_is_away_costs_nothing(kind: str) -> None:
    with collecting() as collector:
        settings = collector.settings(kind)
    began_at = time.monotonic()
    done = run("many", **settings)
    assert done.returncode == 0
    written = lines(done)
    assert len([line for line in written if line.get("message") == "broke"]) == 1_000
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began_at < 20


@both
def test_a_slow_collector_holds_nobody_up_and_the_queue_is_bounded(kind: str, collector: Collector) -> None:
    collector.delay_seconds = 60.0
    done = run("many", **collector.settings(kind))
    assert done.returncode == 0
    (took,) = [line["took"] for line in lines(done) if "took" in line]
    assert took < 10
    # One is in hand; the others are dropped at the end.
    assert len(collector.bodies) == 1


@both
def test_without_a_token_the_process_ends_with_a_sentence(kind: str) -> None:
    for token in ({}, {"ERROR_REPORTER_TOKEN": "t0ken-that-is-none"}):
        done = run("none", ERROR_REPORTER=kind, **token)
        assert done.returncode == 2
        assert done.stderr == f"billbus: ERROR_REPORTER_TOKEN: is missing, or none of {kind}\n"


def test_without_a_reporter_there_is_the_line_alone(collector: Collector) -> None:
    done = run("none", **{**collector.settings("sentry"), "ERROR_REPORTER": "none"})
    assert [line["message"] for line in lines(done)] == ["broke"]
    assert collector.bodies == []


def test_every_process_begins_its_logging_where_errors_are_reported() -> None:
    processes = [
        module
        for module in [*CHECKOUT.glob("*/__main__.py"), CHECKOUT / "state_updater/tasks/__main__.py"]
        if "load_settings(" in module.read_text()
    ]
    assert len(processes) >= 7
    assert [module for module in processes if "begin_logging(" not in module.read_text()] == []
