"""Runs every check and test of the project, called by ./test. Arguments go to pytest.

Static checks first, then one pytest process over all tiers, so that servers are started once. `--fast` leaves
out crash, e2e and what is marked slow. Arguments that name paths run just those, without the static checks.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
STATIC = "static"
TIERS = ("unit", "integration", "contract", "crash", "e2e")
SLOW_TIERS = ("crash", "e2e")
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
    paths = [] if _names_paths(given) else list(_tier_directories(fast))
    try:
        if not _names_paths(given):
            run_static_checks(budgets.of[STATIC])
        if paths or given:
            quick = ["-m", "not slow"] if fast else []
            pytest_code = int(pytest.main([*paths, *quick, *given], plugins=[budgets]))
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


def _tier_directories(fast: bool) -> Iterator[str]:
    for tier in TIERS:
        if not (fast and tier in SLOW_TIERS) and any((TESTS / tier).glob("**/test_*.py")):
            yield str(TESTS / tier)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
