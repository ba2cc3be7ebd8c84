"""Runs of jobs: recorded once, never two at once, taken up after a crash, and none stops the clock."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import psycopg
import pytest
from sqlalchemy import text

from cron.desk import Done, Run
from cron.jobs import JOBS, Job
from cron.runner import JobBusy
from cron.schedule import Schedule
from cron.timekeeping import Timekeeper
from storage.jobs import CUT_SHORT, PROBLEM_LIMIT
from tests.integration.cron.watches import Watch
from tests.integration.state_updater.shops import ROOT, Shop, faults

DUE = datetime(2026, 3, 1, 10, tzinfo=UTC)
NO_CRONTAB = "is no crontab schedule"
NAMES = "CRON_RENEWAL, CRON_REMINDER and CRON_BACKUP"
MINUTELY = {"CRON_RENEWAL": "* * * * *", "CRON_REMINDER": ""}
# A cron that walks in pages of two.
SMALL_PAGES = (
    "from cron import reminder, renewal; reminder.PAGE_LIMIT = renewal.PAGE_LIMIT = 2\n"
    "from cron.__main__ import main; main()"
)


def a_job(work: Callable[[Run], Done]) -> Job:
    return replace(JOBS["renewal"], name="test", work=work)


def cron(shop: Shop, *words: str, **environment: str) -> "subprocess.Popen[str]":
    """A real process; whoever starts it ends it."""
    variables = {"PATH": os.environ["PATH"], "DATABASE_URL": shop.url} | MINUTELY | environment
    command = [sys.executable, *(words or ("-m", "cron"))]
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline
        sleep(0.05)


def end(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    return process.returncode


# ------------------------------------------------------------------ one run


def test_a_run_is_recorded_with_what_it_did_and_is_not_repeated(watch: Watch) -> None:
    times: list[datetime] = []

    def work(run: Run) -> Done:
        times.append(run.now)
        return Done(3, "one was odd")

    job, now = a_job(work), DUE + timedelta(minutes=1)
    assert watch.run(job, now, DUE).outcome == "done"
    assert watch.run(job, now, DUE).outcome == "known"
    assert times == [now]
    assert watch.runs("test") == [("done", 3, "one was odd")]


def test_a_job_that_raises_is_recorded_without_values_and_tried_at_its_next_time(watch: Watch) -> None:
    left = iter([True, False])

    def work(_run: Run) -> Done:
        if next(left):
            raise ValueError("cannot reach postgresql://me:hidden@host/x" + "!" * PROBLEM_LIMIT)
        return Done(1)

    job = a_job(work)
    assert watch.run(job, due_at=DUE).outcome == "failed"
    assert watch.run(job, due_at=DUE).outcome == "known"
    assert watch.run(job, due_at=DUE + timedelta(minutes=10)).outcome == "done"
    (outcome, done, problem), after = watch.runs("test")
    assert (outcome, done, after) == ("failed", 0, ("done", 1, None))
    assert problem is not None
    assert problem.startswith("ValueError: cannot reach postgresql://me:[redacted]@host")
    assert len(problem) == PROBLEM_LIMIT


def test_two_at_once_are_one_at_a_time(watch: Watch, shop: Shop) -> None:
    began, may_end = Event(), Event()

    def work(_run: Run) -> Done:
        began.set()
        assert may_end.wait(30)
        return Done(1)

    first = Thread(target=watch.run, args=(a_job(work), None, DUE))
    first.start()
    assert began.wait(30)
    other = Watch(shop)
    for due_at in (DUE, DUE + timedelta(minutes=1)):
        with pytest.raises(JobBusy):
            other.run(a_job(lambda _run: Done(9)), due_at=due_at)
    assert other.run(replace(a_job(lambda _run: Done(9)), name="other")).count == 9
    may_end.set()
    first.join()
    other.close()
    assert watch.runs("test") == [("done", 1, None)]


def test_whoever_loses_its_lock_does_not_go_on_and_its_run_is_taken_up(watch: Watch, shop: Shop) -> None:
    pages: list[int] = []

    def work(run: Run) -> Done:
        while run.may_go_on() and len(pages) < 2:
            pages.append(1)
            if len(pages) == 1:
                shop.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
        return Done(len(pages))

    with pytest.raises(psycopg.OperationalError):
        watch.run(a_job(work), due_at=DUE)
    assert (pages, watch.runs("test")) == ([1], [(None, 0, None)])
    assert watch.run(a_job(work), due_at=DUE).outcome == "done"
    assert watch.runs("test") == [("done", 2, None)]


def test_postgres_away_in_a_page_is_not_the_jobs_failure(watch: Watch, shop: Shop) -> None:
    def work(run: Run) -> Done:
        with run.desk.engine.begin() as connection:
            mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            shop.rows("SELECT pg_terminate_backend(:pid)", pid=mine)
            connection.execute(text("SELECT 1"))
        return Done(1)

    with pytest.raises(Exception, match="terminating connection"):
        watch.run(a_job(work), due_at=DUE)
    assert watch.runs("test") == [(None, 0, None)]


def test_a_statement_that_takes_too_long_is(watch: Watch) -> None:
    def work(run: Run) -> Done:
        with run.desk.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 50"))
            connection.execute(text("SELECT pg_sleep(5)"))
        return Done(1)

    assert watch.run(a_job(work), due_at=DUE).outcome == "failed"


def test_a_run_that_was_cut_short_is_closed_by_the_next_one(watch: Watch, shop: Shop) -> None:
    shop.rows("INSERT INTO job_run (job, due_at, started_at) VALUES ('test', :due, now())", due=DUE)
    watch.run(a_job(lambda _run: Done(1)), due_at=DUE + timedelta(minutes=10))
    assert watch.runs("test") == [("failed", 0, CUT_SHORT), ("done", 1, None)]


# ------------------------------------------------------------------ the clock


def test_what_was_missed_is_done_once_and_not_once_per_time(watch: Watch) -> None:
    now = [DUE]
    runs: list[datetime] = []

    def work(run: Run) -> Done:
        runs.append(run.now)
        return Done(0)

    keeper = Timekeeper(watch.desk, a_job(work), Schedule("*/10 * * * *", "Europe/Moscow"), lambda: now[0])
    # Three days on; a look more; eight minutes on; back by an hour; back again.
    for minutes in (0, 3 * 1440 + 2, 0, 8, -60, 60):
        now[0] += timedelta(minutes=minutes)
        keeper.look()
    assert [each - DUE for each in runs] == [
        timedelta(0),
        timedelta(days=3, minutes=2),
        timedelta(days=3, minutes=10),
        timedelta(days=3, minutes=-50),
    ]
    assert keeper.late_seconds() == 0


def test_a_job_that_hangs_or_waits_is_late(watch: Watch) -> None:
    seen: list[float] = []
    keeper: Timekeeper

    def work(_run: Run) -> Done:
        seen.append(keeper.late_seconds())
        return Done(0)

    clock = lambda: DUE + timedelta(minutes=9)  # noqa: E731
    keeper = Timekeeper(watch.desk, a_job(work), Schedule("*/10 * * * *", "UTC"), clock)
    assert keeper.late_seconds() == 540
    keeper.look()
    assert (seen, keeper.late_seconds()) == ([540], 0)


def test_a_stop_lets_the_page_in_hand_end_and_leaves_the_run_to_be_taken_up(watch: Watch) -> None:
    pages: list[int] = []

    def work(run: Run) -> Done:
        while run.may_go_on():
            keeper.is_stopping = True
            pages.append(1)
        return Done(len(pages), is_whole=False)

    keeper = Timekeeper(watch.desk, a_job(work), Schedule("*/10 * * * *", "UTC"))
    keeper.run()
    assert (pages, watch.runs("test")) == ([1], [(None, 0, None)])


# ------------------------------------------------------------------ the process


def test_two_processes_share_the_work(shop: Shop, watch: Watch) -> None:
    wanted = {watch.subscribe()[0] for _ in range(5)}
    shop.set_clock(max(watch.period_end(one) for one in wanted) - timedelta(days=1))
    processes = [cron(shop, "-c", SMALL_PAGES) for _ in range(2)]
    until(lambda: any(outcome == "done" for outcome, _, _ in watch.runs("renewal")))
    assert all(process.stdout and "cron begins" in process.stdout.readline() for process in processes)
    assert [end(process) for process in processes] == [0, 0]
    assert watch.accepted() == ["RenewSubscription"] * 5
    assert sum(done for _, done, _ in watch.runs("renewal")) == 5
    assert watch.settle() == ["applied"] * 5


def test_killed_between_two_pages_the_rest_is_done_by_the_next_and_nothing_twice(
    shop: Shop, watch: Watch
) -> None:
    wanted = {watch.subscribe()[0] for _ in range(5)}
    shop.set_clock(max(watch.period_end(one) for one in wanted) - timedelta(days=1))
    killed = cron(shop, "-c", SMALL_PAGES, CRASH_AT="renewal_after_page:3")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(watch.accepted()) == 4, "the first passing ended what was to end, two pages were accepted"
    following = cron(shop, "-c", SMALL_PAGES)
    until(lambda: any(outcome == "done" for outcome, _, _ in watch.runs("renewal")))
    assert end(following) == 0
    assert watch.settle() == ["applied"] * 5
    assert {subscription_id for subscription_id, _ in watch.renewal_invoices()} == wanted
    assert all(outcome is not None for outcome, _, _ in watch.runs("renewal"))
    assert faults(shop.url) == []


def test_killed_before_a_page_of_reminders_commits_each_is_planned_once(shop: Shop, watch: Watch) -> None:
    wanted = {watch.subscribe()[0] for _ in range(3)}
    for one in wanted:
        watch.let_end(one)
    shop.set_clock(max(watch.period_end(one) for one in wanted) - timedelta(days=1))
    scheduled = {"CRON_RENEWAL": "", "CRON_REMINDER": "* * * * *"}
    killed = cron(shop, "-c", SMALL_PAGES, CRASH_AT="reminder_before_commit:2", **scheduled)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(watch.reminders()) == 2
    following = cron(shop, "-c", SMALL_PAGES, **scheduled)
    until(lambda: any(outcome == "done" for outcome, _, _ in watch.runs("reminder")))
    assert end(following) == 0
    assert sorted(watch.reminders()) == sorted((one, "period_end", 1) for one in wanted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_when_it_is_asked_to(shop: Shop, watch: Watch, number: int) -> None:
    process = cron(shop)
    until(lambda: bool(watch.runs("renewal")) and watch.runs("renewal")[0][0] == "done")
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CRON_RENEWAL": "61 * * * *"}, 'CRON_RENEWAL: "61 * * * *" is no crontab schedule: Bad minute.'),
        ({"CRON_REMINDER": "hourly"}, 'CRON_REMINDER: "hourly" does not have the five fields of a crontab.'),
        (
            {"CRON_BACKUP": "0 0 30 2 *"},
            'CRON_BACKUP: "0 0 30 2 *" is no crontab schedule: Bad day-of-month.',
        ),
        ({"CRON_TIMEZONE": "Moscow"}, "CRON_TIMEZONE: Moscow is no IANA time zone."),
        (
            {"CRON_RENEWAL": ""},
            "no job has a schedule: CRON_RENEWAL, CRON_REMINDER and CRON_BACKUP are empty",
        ),
    ],
)
def test_a_setting_that_cannot_work_ends_the_process_with_a_sentence(
    shop: Shop, environment: dict[str, str], sentence: str
) -> None:
    process = cron(shop, **environment)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (1, f"billbus: {sentence}\n")


def test_a_database_that_is_away_at_the_start_is_waited_for(shop: Shop, tmp_path: Path) -> None:
    away = shop.url.rpartition("@")[0] + "@127.0.0.1:9/none"
    process = cron(shop, DATABASE_URL=away)
    sleep(2)
    assert process.poll() is None
    assert end(process) == 0
