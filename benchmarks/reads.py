"""`python -m benchmarks.reads`: `GET /api/v1/subscriptions?state=active` against a bare FastAPI endpoint.

One process each, on one database, asked in turn by one load generator. It prints a table and, on its last
line, one JSON object, `ratio` first. docs/performance.md tells what is compared and how far to trust it.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import psycopg

from benchmarks.ground import Ground, private_ground
from benchmarks.history import fill_history
from benchmarks.load import Job, Seen, send_load, write_request
from benchmarks.people import HOST, STUDIO, Person, register
from benchmarks.workers import Place
from runtime.ports import LOOPBACK

INVOICE_COUNT = 10_000
PERSON_COUNT = 16
SUBSCRIPTIONS_EACH = 3
ROUND_COUNT = 5
SECONDS = 6.0
QUICK_INVOICE_COUNT, QUICK_SECONDS = 500, 0.5
ANSWER_SECONDS_MAX = 10.0

API, BARE, GENERATOR = "client API", "bare FastAPI", "the generator alone"
API_PATH = "/api/v1/subscriptions?state=active"
_GIVE = """
    UPDATE subscription SET customer_id = %s WHERE id IN (
        SELECT id FROM subscription WHERE studio_id = %s AND state = 'active' AND customer_id <> ALL (%s)
        ORDER BY id DESC LIMIT %s)
"""


def give_subscriptions(database_url: str, people: Sequence[Person]) -> None:
    """SUBSCRIPTIONS_EACH active subscriptions of the studio's past to each."""
    with psycopg.connect(database_url) as owner:
        for person in people:
            newcomers = [one.customer_id for one in people]
            owner.execute(_GIVE, [person.customer_id, STUDIO.id("studio"), newcomers, SUBSCRIPTIONS_EACH])


def bare_path(person: Person) -> str:
    return f"/subscriptions?studio_id={STUDIO.id('studio')}&customer_id={person.customer_id}&state=active"


def check_answers(api_port: int, bare_port: int, people: Sequence[Person]) -> int:
    """The length of an answer in bytes. Raises RuntimeError unless both give the same, and not nothing."""
    for person in people:
        ours, theirs = (
            httpx.get(
                f"http://{LOOPBACK}:{port}{path}",
                headers={"Host": HOST, **person.authorization},
                timeout=ANSWER_SECONDS_MAX,
            )
            for port, path in ((api_port, API_PATH), (bare_port, bare_path(person)))
        )
        if ours.json() != theirs.json() or len(ours.json()["items"]) != SUBSCRIPTIONS_EACH:
            raise RuntimeError(f"not the same answer: {ours.text} and {theirs.text}")
    return len(ours.content)


def measure(ground: Ground, invoice_count: int, round_count: int, seconds: float) -> dict[str, list[Seen]]:
    """What was seen by who answered, in the order of rounds."""
    url = ground.make_database("shop")
    fill_history(url, STUDIO.id("studio"), invoice_count, ends_at=datetime.now(UTC))
    place = Place(url, None, ground.directory)
    with (
        place.serving("client_api") as (api_port,),
        place.serving("benchmarks.bare") as (bare_port,),
        place.serving("benchmarks.answerer") as (answerer_port,),
    ):
        people = register(api_port, PERSON_COUNT)
        give_subscriptions(url, people)
        print(f"each answer has {check_answers(api_port, bare_port, people)} bytes", flush=True)
        api_requests = [write_request("GET", HOST, API_PATH, person.authorization) for person in people]
        bare_requests = [write_request("GET", HOST, bare_path(person), {}) for person in people]
        jobs = {
            GENERATOR: Job([answerer_port], api_requests, seconds),
            BARE: Job([bare_port], bare_requests, seconds),
            API: Job([api_port], api_requests, seconds),
        }
        return _run_rounds(jobs, round_count)


def _run_rounds(jobs: dict[str, Job], round_count: int) -> dict[str, list[Seen]]:
    """Every other round goes backwards. Raises RuntimeError if anything but 200 was answered."""
    seen: dict[str, list[Seen]] = {name: [] for name in jobs}
    for number in range(round_count):
        print(f"round {number + 1} of {round_count}", flush=True)
        for name in list(jobs) if number % 2 == 0 else reversed(list(jobs)):
            one = send_load(jobs[name])
            print(f"  {name:20} {one.rate:8,.0f}/s   p99 {one.p99_ms:6.1f} ms", flush=True)
            if set(one.statuses) != {"200"}:
                raise RuntimeError(f"{name} answered {one.statuses}")
            seen[name].append(one)
    return seen


def report(seen: dict[str, list[Seen]], versions: str, load_before: float) -> None:
    """The table, then the JSON line. The ratio is of the same round, the median over the rounds."""
    ratios = [ours.rate / theirs.rate for ours, theirs in zip(seen[API], seen[BARE], strict=True)]
    print(f"\n{'answers per second':22}{'median':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for name, rounds in seen.items():
        columns = [(one.rate, one.p50_ms, one.p99_ms) for one in rounds]
        rate, p50, p99 = (statistics.median(column) for column in zip(*columns, strict=True))
        print(f"{name:22}{rate:8,.0f}{p50:9.1f}{p99:9.1f}")
    print(f"{versions}; load average before: {load_before:.1f}")
    summary = {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "per_second": {
            name: round(statistics.median(r.rate for r in rounds)) for name, rounds in seen.items()
        },
        "versions": versions,
        "load_average_before": round(load_before, 1),
    }
    print(json.dumps(summary))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="A read of the client API against a bare FastAPI endpoint.")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    quick = parser.parse_args(arguments).quick
    load_before = os.getloadavg()[0]
    with private_ground(with_rabbit=False) as ground:
        sizes = (QUICK_INVOICE_COUNT, 1, QUICK_SECONDS) if quick else (INVOICE_COUNT, ROUND_COUNT, SECONDS)
        seen = measure(ground, *sizes)
    report(seen, ground.versions, load_before)


if __name__ == "__main__":
    main(sys.argv[1:])
