"""`billbus cron`: the jobs of the clock, by hand.

Runs under the role of `python -m cron`, with its settings; a job that is in hand elsewhere is left to it.
"""

from datetime import datetime
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from cron.desk import Desk
from cron.jobs import JOBS, Job
from cron.runner import JobBusy, run_job
from cron.schedule import ScheduleInvalid
from kit.clock import system_clock
from runtime.settings import CronSettings, load_settings
from storage.jobs import JobRun, list_last_runs

group = typer.Typer(no_args_is_help=True, help="The jobs of the clock.")

TABLE_WIDTH = 160


def _instant(written: str) -> datetime:
    """An ISO 8601 instant with its offset. Raises typer.BadParameter."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise typer.BadParameter(f"{written} is no ISO 8601 instant") from None
    if at.tzinfo is None:
        raise typer.BadParameter(f"{written} says no offset from UTC: add one, such as +03:00")
    return at


@group.command()
def run(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(JOBS)}.")],
    at: Annotated[datetime | None, typer.Option(parser=_instant, help="Decide as if it were then.")] = None,
) -> None:
    """Run one job now, whatever its schedule says. What it has done before it does not do again."""
    if name not in JOBS:
        raise typer.BadParameter(f"there is no job {name}; there are {', '.join(JOBS)}")
    job, now = JOBS[name], system_clock()
    desk = Desk(load_settings(CronSettings))
    try:
        result = run_job(desk, job, now, at or now, lambda: False)
    except JobBusy:
        _fail(f"{name} is running already.")
    finally:
        desk.close()
    if result.outcome == "failed":
        _fail(f"{name} failed: {result.problem}")
    typer.echo(f"{name}: {_told(job, result.count, result.problem)}")


@group.command("list")
def list_jobs() -> None:
    """Print when each job is due, and what became of its last run."""
    settings, now = load_settings(CronSettings), system_clock()
    desk = Desk(settings)
    try:
        with desk.engine.begin() as connection:
            last = list_last_runs(connection, list(JOBS))
    finally:
        desk.close()
    table = Table("job", "schedule", "next", "last run", "outcome", "what it did", box=None, pad_edge=False)
    for job in JOBS.values():
        table.add_row(job.name, *_when(job, settings, now), *_what(job, last.get(job.name)))
    Console(width=TABLE_WIDTH).print(table, markup=False, highlight=False)


def _when(job: Job, settings: CronSettings, now: datetime) -> tuple[str, str]:
    try:
        schedule = job.schedule(settings)
    except ScheduleInvalid as error:
        _fail(str(error))
    return (schedule.fields, _written(schedule.next(now))) if schedule else ("by hand", "")


def _what(job: Job, last: JobRun | None) -> tuple[str, str, str]:
    if last is None:
        return "never", "", ""
    if last.outcome is None:
        return _written(last.started_at), "in hand or cut short", ""
    return _written(last.started_at), last.outcome, _told(job, last.done, last.problem)


def _told(job: Job, count: int, problem: str | None) -> str:
    counted = job.counts.removesuffix("s") if count == 1 else job.counts
    return f"{count} {counted}" + (f"; {problem}" if problem else "")


def _written(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"billbus: {sentence}", err=True)
    raise typer.Exit(1)
