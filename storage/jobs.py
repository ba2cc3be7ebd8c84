"""Runs of scheduled jobs: one row per job and due time, and the lock that keeps two of them apart.

Called by `cron` and by its command line. Instants of a run are the database's; `due_at` is whoever ran it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from sqlalchemy import Connection, text

Outcome = Literal["done", "failed"]

# Class of two-key advisory locks; the second key is the job's name, hashed.
LOCK_CLASS = 1_001
PROBLEM_LIMIT = 500
CUT_SHORT = "The process ended before the job did."

_LOCK = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
# A run without an outcome was cut short: whoever has the lock takes it up. One with an outcome is over.
_BEGIN = text("""
    INSERT INTO job_run (job, due_at, started_at) VALUES (:job, :due_at, clock_timestamp())
    ON CONFLICT (job, due_at) DO UPDATE SET started_at = clock_timestamp() WHERE job_run.outcome IS NULL
    RETURNING true
""")
_CLOSE_CUT_SHORT = text("""
    UPDATE job_run SET outcome = 'failed', finished_at = clock_timestamp(), problem = :problem
    WHERE job = :job AND due_at <> :due_at AND outcome IS NULL
""")
_FINISH = text("""
    UPDATE job_run SET outcome = :outcome, done = :done, problem = :problem, finished_at = clock_timestamp()
    WHERE job = :job AND due_at = :due_at
""")
_LAST = text("""
    SELECT last.* FROM unnest(CAST(:jobs AS text[])) AS wanted (job) CROSS JOIN LATERAL (
        SELECT job, due_at, started_at, finished_at, outcome, done, problem FROM job_run
        WHERE job_run.job = wanted.job ORDER BY started_at DESC LIMIT 1) AS last
""")


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run as it stands; no `outcome` while it goes on, or when its process ended under it."""

    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    done: int
    problem: str | None


def try_lock_job(connection: psycopg.Connection[tuple[object, ...]], job: str) -> bool:
    """Whether this connection now has the job to itself, until it is closed or lost."""
    row = connection.execute(_LOCK, (LOCK_CLASS, job)).fetchone()
    return row is not None and row[0] is True


def begin_run(connection: Connection, job: str, due_at: datetime) -> bool:
    """False when this run is over already. Runs that were cut short earlier are closed as failed.

    For the holder of the job's lock. Idempotent by (job, due_at).
    """
    key = {"job": job, "due_at": due_at}
    connection.execute(_CLOSE_CUT_SHORT, key | {"problem": CUT_SHORT})
    return connection.execute(_BEGIN, key).first() is not None


def finish_run(
    connection: Connection, job: str, due_at: datetime, outcome: Outcome, done: int, problem: str | None
) -> None:
    """What became of a run: how much it did, and what was wrong, if anything, in words without values."""
    row = {"job": job, "due_at": due_at, "outcome": outcome, "done": done}
    connection.execute(_FINISH, row | {"problem": problem[:PROBLEM_LIMIT] if problem else None})


def list_last_runs(connection: Connection, jobs: Sequence[str]) -> dict[str, JobRun]:
    """The run of each job that began last; jobs that never ran are left out."""
    rows = connection.execute(_LAST, {"jobs": list(jobs)})
    return {row.job: JobRun(*row) for row in rows}
