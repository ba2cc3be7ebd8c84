"""Reads the command line and plays the story; exit code 0 only if every step held."""

import argparse
import os
import sys
import time

from rich.console import Console

from demo.client import ApiClient
from demo.expectations import StepFailed
from demo.story import STEP_SECONDS_MAX, STEPS, Story
from demo.telling import Telling

INTERRUPTED_EXIT_CODE = 130


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Play some customers' story over HTTP.",
        epilog="Staff signs in with STAFF_PASSWORD; `billbus` checks the books, with our DATABASE_URL.",
    )
    parser.add_argument("--api", required=True, help="the client API, by the studio's host")
    parser.add_argument("--admin", required=True, help="the managers' admin, at the same host")
    parser.add_argument("--staff", required=True, help="the e-mail of somebody who may approve refunds")
    parser.add_argument("--twin", required=True, help="the CloudPayments twin")
    parser.add_argument("--mailbox", required=True, help="where the letters to customers are seen")
    parser.add_argument("--logs", help="where the installation's logs are, told when a step fails")
    given = parser.parse_args()
    console = Console(highlight=False)
    try:
        with ApiClient(given.api) as api, ApiClient(given.admin) as staff:
            password = os.environ.get("STAFF_PASSWORD", "")
            story = Story(api, staff, given.twin, given.mailbox, given.staff, password)
            return play(story, console, given.logs)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE


def play(story: Story, console: Console, logs: str | None) -> int:
    """Every step until one fails; 0 or 1."""
    telling = Telling(console, [title for title, _ in STEPS])
    began_at = time.monotonic()
    with telling:
        for _title, step in STEPS:
            telling.begin()
            try:
                told = step(story, time.monotonic() + STEP_SECONDS_MAX)
            except StepFailed as failure:
                telling.end(None)
                reason: StepFailed | None = failure
                break
            telling.end(told)
        else:
            reason = None
    if reason is None:
        console.print(f"\nEvery step held, in {time.monotonic() - began_at:.1f} s.")
        return 0
    tell_failure(reason, console, logs)
    return 1


def tell_failure(failure: StepFailed, console: Console, logs: str | None) -> None:
    """What was expected, what came, and where to look."""
    lines = [f"\nexpected  {failure.expected}", f"came      {failure.came}"]
    if logs is not None:
        lines.append(f"logs      {logs}")
    console.print("\n".join(lines), markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
