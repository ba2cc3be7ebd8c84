"""`billbus cron`: the same jobs, by hand."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.jobs import try_lock_job
from tests.integration.cron.watches import Watch
from tests.integration.state_updater.shops import ROOT, Shop

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(shop: Shop) -> Run:
    """`billbus cron …` as a process: its exit code, what it prints, and what it complains of."""

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "cron", *words],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": shop.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def test_a_job_runs_by_hand_as_often_as_wanted_and_does_its_work_once(
    shop: Shop, watch: Watch, run: Run
) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=2))
    told = [run("run", "renewal") for _ in range(2)]
    assert [each.returncode for each in told] == [0, 0], told
    assert [each.stdout for each in told] == ["renewal: 1 command\n", "renewal: 0 commands\n"]
    assert [outcome for outcome, _, _ in watch.runs("renewal")] == ["done", "done"]
    assert watch.settle() == ["applied"]


def test_it_decides_as_if_it_were_another_time(watch: Watch, run: Run) -> None:
    _, end = watch.subscribe()
    assert run("run", "renewal").stdout == "renewal: 0 commands\n"
    assert (
        run("run", "renewal", "--at", (end - timedelta(days=1)).isoformat()).stdout == "renewal: 1 command\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "dunning"), "there is no job dunning"),
        (("run", "renewal", "--at", "noon"), "noon is no ISO 8601 instant"),
        (("run", "renewal", "--at", "2026-03-01T10:00:00"), "says no offset from UTC"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    told = run(*words)
    assert told.returncode == 2
    assert sentence in " ".join(told.stderr.replace("│", " ").split())


def test_a_job_that_is_in_hand_is_left_to_whoever_has_it(watch: Watch, run: Run) -> None:
    with watch.desk.connect() as lock:
        assert try_lock_job(lock, "reminder")
        told = run("run", "reminder")
    assert (told.returncode, told.stderr) == (1, "billbus: reminder is running already.\n")


def test_a_job_that_fails_ends_with_its_problem(watch: Watch, run: Run) -> None:
    told = run("run", "backup")
    assert told.returncode == 1
    assert "billbus: backup failed: BACKUP_DATABASE_URL" in told.stderr
    assert [outcome for outcome, _, _ in watch.runs("backup")] == ["failed"]


def test_the_list_says_when_each_is_due_and_what_became_of_its_last_run(watch: Watch, run: Run) -> None:
    watch.run("renewal")
    run("run", "backup")
    told = run("list")
    assert told.returncode == 0, told.stderr
    heading, *lines = told.stdout.splitlines()
    assert heading.split() == ["job", "schedule", "next", "last", "run", "outcome", "what", "it", "did"]
    renewal, reminder, *backup = (" ".join(line.split()) for line in lines)
    assert renewal.startswith("renewal */10 * * * * 20")
    assert renewal.endswith("done 0 commands")
    assert reminder.endswith("never")
    assert backup[0].startswith("backup by hand 20")
    assert "failed 0 backups; BACKUP_DATABASE_URL" in " ".join(backup)
