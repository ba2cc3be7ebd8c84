"""Runs every check and test of the project, called by ./test. Arguments go to pytest.

Static checks first; then the tiers that share nothing, in as many processes as there are cores, each with
servers of its own; then crash and e2e, which want the machine for themselves. `--fast` leaves out the latter
and what is marked slow. Arguments that name paths run just those, in one process, without static checks.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import given_amqp_url

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
STATIC = "static"
SHARED_TIERS = ("unit", "integration", "contract")
SLOW_TIERS = ("crash", "e2e")
TIERS = (*SHARED_TIERS, *SLOW_TIERS)
# More would only wait for each other's servers.
PROCESSES_MAX = 4
STATIC_SECONDS_MAX = 300.0
INTERRUPTED_EXIT_CODE = 130
BIN = Path(sys.executable).parent
STATIC_CHECKS = {
    "ruff check": (str(BIN / "ruff"), "check", "."),
    "ruff format": (str(BIN / "ruff"), "format", "--check", "."),
    "mypy": (sys.executable, "-m", "mypy"),
    "lint-imports": (str(BIN / "lint-imports"),),
}


@dataclass
class Budget:
    """What one tier has cost and brought."""

    seconds: float = 0.0
    passed: int = 0
    failed: int = 0

    def line(self, tier: str) -> str:
        """One row of the table."""
        if not self.passed + self.failed:
            return f"{tier:<12} {'none':>8}"
        return f"{tier:<12} {self.seconds:>8.1f} {self.passed:>7} {self.failed:>7}"


class TierBudgets:
    """A pytest plugin that counts by tier; a session-wide server is paid by the first test that needs it."""

    def __init__(self) -> None:
        self.of = {tier: Budget() for tier in (STATIC, *TIERS)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for the set-up, the call and the tear-down of each test."""
        budget = self._budget_of(Path(report.nodeid.partition("::")[0]))
        budget.seconds += report.duration
        if report.failed:
            budget.failed += 1
        elif report.when == "call" and report.passed:
            budget.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is a failure of its tier."""
        if report.failed:
            self._budget_of(Path(report.nodeid.partition("::")[0])).failed += 1

    def _budget_of(self, file: Path) -> Budget:
        tier = next((part for part in file.parts if part in TIERS), "other")
        return self.of.setdefault(tier, Budget())


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 only if something ran and nothing failed."""
    fast = "--fast" in arguments
    given = [word for word in arguments if word != "--fast"]
    budgets = TierBudgets()
    pytest_code = int(pytest.ExitCode.OK)
    try:
        if not _names_paths(given):
            run_static_checks(budgets.of[STATIC])
        for options in [[]] if _names_paths(given) else _runs(fast):
            quick = ["-m", "not slow"] if fast else []
            code = int(pytest.main([*options, *quick, *given], plugins=[budgets]))
            # -k may leave one of the runs without a test; that nothing ran at all is said by the counts.
            if code != pytest.ExitCode.NO_TESTS_COLLECTED:
                pytest_code = pytest_code or code
            if code == pytest.ExitCode.INTERRUPTED:
                break
    except KeyboardInterrupt:
        pytest_code = INTERRUPTED_EXIT_CODE
    return report_budgets(budgets, pytest_code)


def run_static_checks(budget: Budget) -> None:
    """All at the same time; what one of them says is shown only if it complains."""
    started_at = time.monotonic()
    running = {
        name: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, command in STATIC_CHECKS.items()
    }
    try:
        for name, process in running.items():
            said, _ = process.communicate(timeout=STATIC_SECONDS_MAX)
            good = process.returncode == 0
            print(f"{name}: {'passed' if good else f'FAILED{chr(10)}{said}'}", flush=True)
            budget.passed += good
            budget.failed += not good
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
        budget.seconds = time.monotonic() - started_at


def report_budgets(budgets: TierBudgets, pytest_code: int) -> int:
    """Prints the table and the last line; answers the exit code."""
    print(f"\n{'tier':<12} {'seconds':>8} {'passed':>7} {'failed':>7}")
    for tier, budget in budgets.of.items():
        print(budget.line(tier))
    passed = sum(budget.passed for budget in budgets.of.values())
    failed = sum(budget.failed for budget in budgets.of.values())
    print(f"{passed} passed, {failed} failed", flush=True)
    if pytest_code != pytest.ExitCode.OK:
        return pytest_code
    return 0 if passed and not failed else 1


def _names_paths(arguments: Sequence[str]) -> bool:
    """Below tests/ only: the value of an option (`-k billing`) may well be the name of a room."""
    paths = [ROOT / word.partition("::")[0] for word in arguments if not word.startswith("-")]
    return any(path.exists() and path.resolve().is_relative_to(TESTS) for path in paths)


def _runs(fast: bool) -> Iterator[list[str]]:
    """What each run of pytest is told: the tiers that may run beside each other, then the others."""
    # A broker that was given is one for all, and each test leaves it clean.
    processes = 1 if given_amqp_url() else min(PROCESSES_MAX, os.cpu_count() or 1)
    yield [*_directories(SHARED_TIERS), "--numprocesses", str(processes), "--dist", "loadfile"]
    if not fast:
        yield _directories(SLOW_TIERS)


def _directories(tiers: Sequence[str]) -> list[str]:
    return [str(TESTS / tier) for tier in tiers]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
