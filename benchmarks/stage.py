"""The servers of the benchmark, one filled database on them, and single measurements on copies of it.

Called by `benchmarks.commands`. Both sides get the same server, settings, schema, role and rows.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from benchmarks import rival
from benchmarks.measuring import resident_mib, steady_rate, traces
from benchmarks.subjects import Subject, create_studios, create_subjects
from benchmarks.workers import ROOT, Place
from bus.transports import RabbitBus
from models import migrate, roles
from runtime.postgres import PostgresInstallation, PostgresServer, PostgresUnavailable, find_installations
from runtime.rabbitmq import RabbitServer, ensure_installation
from storage.database import connect_as, create_role_engine
from storage.verification import ROLE as VERIFY_ROLE
from storage.verification import verify

DRAIN_SECONDS_MAX = 120.0
POLL_SECONDS = 0.25
TEMPLATE = "filled"
ROLE = "billbus_updater"
# The same for both sides. No checkpoint and no vacuum falls into a measurement: each begins after one.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Commands per second, the traces that were left, and MiB in memory by process."""

    rate: float
    traces: dict[str, int]
    resident_mib: dict[str, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the filled database on them, and the recorded scripts."""

    postgres: PostgresServer
    amqp_url: str
    pgbench: Path
    directory: Path
    subject_count: int

    def fill(self) -> None:
        """The template: migrated, filled by the product, vacuumed."""
        self.postgres.create_database(TEMPLATE)
        url = self.postgres.url(TEMPLATE)
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.begin() as connection:
            roles.bootstrap(connection)
        migrate.upgrade(url)
        with engine.begin() as connection:
            create_studios(connection)
        with psycopg.connect(url) as owner, connect_as(url, ROLE, "benchmark") as updater:
            create_subjects(owner, updater, self.subject_count)
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")

    def record(self) -> None:
        """What pgbench shall do, as scripts in `directory`."""
        with self.fresh_database() as url, connect_as(url, ROLE, "benchmark") as updater:
            subject = Subject(0)
            recorded = rival.record_statements(updater, subject)
            for pipeline in (False, True):
                self._script(pipeline).write_text(rival.write_script(recorded, subject, pipeline=pipeline))

    def _script(self, pipeline: bool) -> Path:
        return self.directory / f"rival{'-pipeline' if pipeline else ''}.sql"

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """A copy of the template, after a checkpoint; dropped after the block."""
        self.postgres.create_database("measured", TEMPLATE)
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            try:
                yield self.postgres.url("measured")
            finally:
                connection.execute("DROP DATABASE measured WITH (FORCE)")

    def measure_rival(self, *, pipeline: bool) -> Measurement:
        """pgbench. Raises RuntimeError if it gave up."""
        with self.fresh_database() as url:
            with connect_as(url, ROLE, "benchmark") as updater:
                options = updater.info.get_parameters()["options"]
            rival.run(
                self.pgbench,
                url,
                self._script(pipeline),
                transactions_per_client=self.subject_count // rival.CLIENT_COUNT,
                options=options,
            )
            with psycopg.connect(url) as owner:
                return Measurement(steady_rate(owner), traces(owner), {})

    def measure_consumers(
        self, consumer_count: int, *, with_relay: bool = False, check_books: bool = False
    ) -> Measurement:
        """The product. Raises RuntimeError if commands stay unapplied or the books do not verify."""
        with self.fresh_database() as url:
            place = Place(url, self.amqp_url, self.directory)
            place.publish([Subject(number).envelope() for number in range(self.subject_count)])
            with place.running(consumer_count, with_relay=with_relay) as process_ids:
                _wait_until_answered(url)
                memory = {name: resident_mib(process_id) for name, process_id in process_ids.items()}
            if check_books:
                _check_books(url)
            with psycopg.connect(url) as owner:
                return Measurement(steady_rate(owner, consumer_count), traces(owner), memory)


def _wait_until_answered(database_url: str) -> None:
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


def _pgbench_installation() -> tuple[PostgresInstallation, Path]:
    for installation in find_installations():
        pgbench = installation.bin_dir / "pgbench"
        if pgbench.exists():
            return installation, pgbench
    raise PostgresUnavailable("No installed PostgreSQL has pgbench beside it.")


@contextmanager
def servers(subject_count: int) -> Iterator[tuple[Bench, str]]:
    """Private servers for the length of a block, and a line that names them."""
    directory = Path(tempfile.mkdtemp(prefix="billbus-benchmark-"))
    directory.chmod(0o755)
    installation, pgbench = _pgbench_installation()
    postgres = PostgresServer(directory, installation=installation, settings=POSTGRES_SETTINGS)
    rabbit = RabbitServer(directory, installation=ensure_installation(ROOT / ".tools", print))
    try:
        postgres.start()
        rabbit.start()
        RabbitBus(rabbit.amqp_url, "benchmark").declare()
        versions = (
            f"PostgreSQL {installation.version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"
        )
        yield Bench(postgres, rabbit.amqp_url, pgbench, directory, subject_count), versions
    finally:
        rabbit.erase()
        postgres.erase()
        shutil.rmtree(directory, ignore_errors=True)
