"""One run of one job: alone, recorded, and over once it is over.

Called by the timekeepers and by `billbus cron run`. A run holds the job's lock on a connection of its own and
has a row keyed by job and due time. One that was cut short keeps its row open and is taken up again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from backups.failures import BackupFailed
from cron.desk import Desk, Done, Run
from cron.jobs import Job
from kit.errors import Transient
from runtime.crash_points import crash_point
from runtime.logging import without_values
from storage.jobs import begin_run, finish_run, try_lock_job

log = structlog.get_logger(__name__)

Lock = psycopg.Connection[tuple[object, ...]]


class JobBusy(Transient):
    """Somebody has this job in hand."""

    code = "job_busy"


@dataclass(frozen=True, slots=True)
class Result:
    """`stopped`: between two pages, its row is open. `known`: it was over before, nothing was done."""

    outcome: Literal["done", "failed", "stopped", "known"]
    count: int = 0
    problem: str | None = None


def run_job(desk: Desk, job: Job, due_at: datetime, now: datetime, is_stopping: Callable[[], bool]) -> Result:
    """Does the job as of `now`, unless it was done for `due_at`. Idempotent by (job, due_at).

    Raises JobBusy, and what says that Postgres is away: then the run is open and may be taken up. What else
    goes wrong is the run's result.
    """
    with _alone(desk, job) as lock:
        with desk.engine.begin() as connection:
            if not begin_run(connection, job.name, due_at):
                return Result("known")
        crash_point("job_begun")

        def may_go_on() -> bool:
            lock.execute("SELECT 1")  # whoever lost this connection may not be alone any more
            return not is_stopping()

        result = _do(job, Run(desk, now, may_go_on))
        crash_point("job_over")
        if result.outcome in ("done", "failed"):
            with desk.engine.begin() as connection:
                finish_run(connection, job.name, due_at, result.outcome, result.count, result.problem)
        log.info("job ran", job=job.name, outcome=result.outcome, done=result.count, problem=result.problem)
        return result


@contextmanager
def _alone(desk: Desk, job: Job) -> Iterator[Lock]:
    connection = desk.connect()
    try:
        connection.autocommit = True
        if not try_lock_job(connection, job.name):
            raise JobBusy(job=job.name)
        yield connection
    finally:
        connection.close()


def _do(job: Job, run: Run) -> Result:
    try:
        done: Done = job.work(run)
    except BackupFailed as failed:
        # Its words are for people and say all: a way through our code would hide them.
        log.error("job failed", job=job.name, reason=str(failed))
        return Result("failed", problem=str(failed))
    except Exception as error:
        if _is_postgres_away(error):
            raise
        log.exception("job failed", job=job.name)
        return Result("failed", problem=_first_line(error))
    return Result("done" if done.is_whole else "stopped", done.count, done.problem)


def _is_postgres_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, psycopg.OperationalError)


def _first_line(error: Exception) -> str:
    """What a person reads beside the run; where it happened is in the log."""
    words = without_values(str(error)).strip().partition("\n")[0]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
