"""Nine protections are taken out of a copy of the product, one at a time: a named test must see each.

The same tests pass over the product as it is, in their own tiers; here they must fail, for the right reason.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "billing", "billing_consumer", "booking", "bus", "cli", "client_api", "kit", "models", "notifications",
    "providers", "runtime", "sandbox", "state_updater", "storage", "tests",
)  # fmt: skip
RUN_SECONDS_MAX = 100.0
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    """What is replaced (each text stands once in its file), who must see it, and what that one says."""

    name: str
    file: str
    replaced: tuple[tuple[str, str], ...]
    test: str
    says: str
    # In another file, where one protection stands behind the other.
    also_file: str | None = None
    also_replaced: tuple[tuple[str, str], ...] = ()


STATE_UPDATER = "tests/integration/state_updater"
ONE_HALL = "tests/integration/races/test_one_hall.py"
WITHOUT_HALL_LOCK = ("SELECT count(pg_advisory_xact_lock(key)) FROM (", "SELECT count(key) FROM (")
MUTANTS = (
    Mutant(
        "without the journal check",
        "state_updater/apply.py",
        (('elif row.state != "accepted":', "elif False:"),),
        f"{STATE_UPDATER}/test_applying.py::test_a_redelivered_command_changes_nothing",
        "created_twice",
    ),
    Mutant(
        "without the row locks",
        "state_updater/statements.py",
        (
            ('LOCKING = " FOR NO KEY UPDATE"', 'LOCKING = ""'),
            ('"SELECT count(pg_advisory_xact_lock(key)) FROM', '"SELECT count(key) FROM'),
        ),
        f"{STATE_UPDATER}/test_applying.py::test_two_consumers_never_promise_the_same_money_twice",
        "assert ['applied', 'applied'] == ['applied', 'refused']",
    ),
    Mutant(
        "without the index of live attempts",
        "models/migrations/versions/0001_spine.sql",
        (("CREATE UNIQUE INDEX payment_attempt_live ON", "CREATE INDEX payment_attempt_live ON"),),
        f"{STATE_UPDATER}/test_applying.py::test_a_second_live_attempt_cannot_be_written_whoever_writes",
        "DID NOT RAISE",
    ),
    Mutant(
        "without mandatory",
        "bus/rabbit/publisher.py",
        (("properties, mandatory=True", "properties, mandatory=False"),),
        "tests/contract/bus/test_rabbit.py::test_a_command_that_no_queue_takes_is_not_published",
        "DID NOT RAISE",
    ),
    Mutant(
        "without the worker's record",
        "storage/provider_calls.py",
        (("number = connection.execute(_BEGIN[subject.column], row).scalar_one()", "number = 1"),),
        f"{STATE_UPDATER}/test_tasks.py::test_the_call_is_on_record_before_any_byte_leaves",
        "the provider was asked without a record",
    ),
    # The constraint keeps the hall from being taken twice, but commands run into it, or wait there.
    Mutant(
        "without the lock of a hall",
        "state_updater/statements.py",
        (WITHOUT_HALL_LOCK,),
        ONE_HALL,
        "AssertionError: one hall was given twice",
    ),
    Mutant(
        "without the lock of a hall and the constraint",
        "state_updater/statements.py",
        (WITHOUT_HALL_LOCK,),
        ONE_HALL,
        "AssertionError: one hall was given twice",
        "models/migrations/versions/0005_bookings.sql",
        (
            (
                "EXCLUDE USING gist (hall_id WITH =, during WITH &&) WHERE (released_at IS NULL)",
                "CHECK (ends_at > starts_at)",
            ),
        ),
    ),
    Mutant(
        "without giving back what an expired hold had",
        "state_updater/handlers/holds.py",
        (('work.step(booking, "expire")\n    release(work, booking)', 'work.step(booking, "expire")'),),
        f"{STATE_UPDATER}/test_holds.py::test_in_one_group_a_hold_expires_and_another_takes_the_time",
        "assert ['slot_taken'... 'slot_taken'] == ['slot_taken'...d', 'applied']",
    ),
    Mutant(
        "without an answer to late money",
        "state_updater/handlers/payments.py",
        (("        return_late_money(work, payment)", "        pass"),),
        f"{STATE_UPDATER}/test_late_money.py::test_money_for_a_time_that_is_taken_goes_back",
        "assert (None, 'invoice_expired', 0) ==",
    ),
)


def _copy(target: Path) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    # Servers that the tests have unpacked are not unpacked again.
    if (ROOT / ".tools").exists():
        (target / ".tools").symlink_to(ROOT / ".tools")


def _mutate(tree: Path, name: str, replaced: tuple[tuple[str, str], ...]) -> None:
    source = (tree / name).read_text()
    for old, new in replaced:
        assert source.count(old) == 1, f"{name} holds {source.count(old)} times: {old}"
        source = source.replace(old, new)
    (tree / name).write_text(source)


def _run(mutant: Mutant, tree: Path) -> "subprocess.CompletedProcess[str]":
    _copy(tree)
    _mutate(tree, mutant.file, mutant.replaced)
    if mutant.also_file is not None:
        _mutate(tree, mutant.also_file, mutant.also_replaced)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", mutant.test]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All mutants, two at a time; each test below waits for its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        trees = {mutant.name: tmp_path_factory.mktemp("mutant") for mutant in MUTANTS}
        yield {mutant.name: pool.submit(_run, mutant, trees[mutant.name]) for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_product_without_this_protection_is_caught(mutant: Mutant, runs: Runs) -> None:
    done = runs[mutant.name].result()
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed" in done.stdout, done.stdout
    assert mutant.says in done.stdout, done.stdout
