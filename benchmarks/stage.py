"""One filled database, and single measurements on copies of it.

Called by `benchmarks.commands` and `benchmarks.growth`. All sides get the same server, settings, schema, role
and rows.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import rival
from benchmarks.ground import Ground, private_ground
from benchmarks.measuring import resident_mib, steady_rate, traces
from benchmarks.subjects import Subject, create_subjects
from benchmarks.workers import Place
from storage.database import connect_as, create_role_engine
from storage.verification import ROLE as VERIFY_ROLE
from storage.verification import verify

DRAIN_SECONDS_MAX = 120.0
POLL_SECONDS = 0.25
TEMPLATE = "filled"
ROLE = "billbus_updater"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Commands per second, the traces that were left, and MiB in memory by process."""

    rate: float
    traces: dict[str, int]
    resident_mib: dict[str, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the filled database on them, and the recorded scripts."""

    ground: Ground
    subject_count: int

    def fill(self) -> None:
        """The template: migrated, filled by the product, vacuumed."""
        url = self.ground.make_database(TEMPLATE)
        with psycopg.connect(url) as owner, connect_as(url, ROLE, "benchmark") as updater:
            create_subjects(owner, updater, self.subject_count)
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")

    def record(self) -> None:
        """What pgbench shall do, as scripts in `directory`."""
        with self.ground.fresh_copy(TEMPLATE) as url, connect_as(url, ROLE, "benchmark") as updater:
            subject = Subject(0)
            recorded = rival.record_statements(updater, subject)
            for pipeline in (False, True):
                self._script(pipeline).write_text(rival.write_script(recorded, subject, pipeline=pipeline))

    def _script(self, pipeline: bool) -> Path:
        return self.ground.directory / f"rival{'-pipeline' if pipeline else ''}.sql"

    def measure_rival(self, *, pipeline: bool) -> Measurement:
        """pgbench. Raises RuntimeError if it gave up."""
        with self.ground.fresh_copy(TEMPLATE) as url:
            with connect_as(url, ROLE, "benchmark") as updater:
                options = updater.info.get_parameters()["options"]
            rival.run(
                self.ground.pgbench,
                url,
                self._script(pipeline),
                transactions_per_client=self.subject_count // rival.CLIENT_COUNT,
                options=options,
            )
            with psycopg.connect(url) as owner:
                return Measurement(steady_rate(owner), traces(owner), {})

    def measure_consumers(
        self,
        consumer_count: int,
        *,
        template: str = TEMPLATE,
        with_relay: bool = False,
        check_books: bool = False,
    ) -> Measurement:
        """The product, on a copy of `template`.

        Raises RuntimeError if commands stay unapplied or the books do not verify.
        """
        with self.ground.fresh_copy(template) as url:
            place = Place(url, self.ground.amqp_url, self.ground.directory)
            place.publish([Subject(number).envelope() for number in range(self.subject_count)])
            with place.running(consumer_count, with_relay=with_relay) as process_ids:
                wait_until_answered(url)
                memory = {name: resident_mib(process_id) for name, process_id in process_ids.items()}
            if check_books:
                _check_books(url)
            with psycopg.connect(url) as owner:
                return Measurement(steady_rate(owner, consumer_count), traces(owner), memory)


def wait_until_answered(database_url: str) -> None:
    """Raises RuntimeError when a command waits longer than DRAIN_SECONDS_MAX."""
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    with psycopg.connect(database_url, autocommit=True) as owner:
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            if not owner.execute("SELECT 1 FROM command_journal WHERE state = 'accepted' LIMIT 1").fetchone():
                return
    raise RuntimeError(f"commands stayed unapplied for {DRAIN_SECONDS_MAX:.0f} s")


def _check_books(database_url: str) -> None:
    engine = create_role_engine(database_url, VERIFY_ROLE, "benchmark")
    report = verify(engine)
    engine.dispose()
    if not report.is_clean or report.parked_count or report.unapplied:
        raise RuntimeError(f"the books do not verify: {[check.name for check in report.violations]}")


@contextmanager
def servers(subject_count: int) -> Iterator[tuple[Bench, str]]:
    """Private servers for the length of a block, and a line that names them."""
    with private_ground(with_rabbit=True) as ground:
        yield Bench(ground, subject_count), ground.versions
