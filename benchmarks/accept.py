"""`python -m benchmarks.accept`: commands accepted over HTTP, and how long one takes from POST to applied.

Two processes of the client API take `POST /api/v1/subscriptions` while consumers apply beside them, on
RabbitMQ and on the embedded bus: first as many as they can, nobody waiting, then half of that with
`Prefer: wait`, at random instants from which the time counts. It prints what it saw and, on its last line,
one JSON object. docs/performance.md tells what is compared and how far to trust it.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ground import Ground, private_ground
from benchmarks.load import KEY, Job, Seen, send_load, write_request
from benchmarks.people import HOST, STUDIO, Person, register
from benchmarks.stage import wait_until_answered
from benchmarks.workers import Place

API_COUNT = 2
# As ./run has them.
CONSUMER_COUNTS = {"RabbitMQ": 2, "embedded": 1}
PERSON_COUNT = 48
CONNECTION_COUNT = 16
ROUND_COUNT = 3
ACCEPT_SECONDS, WAIT_SECONDS = 6.0, 15.0
QUICK_SECONDS = 1.0
PATH = "/api/v1/subscriptions"


@dataclass(frozen=True, slots=True)
class Round:
    """`accepted`: closed load; `applied`: open load at half that rate, until 201."""

    accepted: Seen
    applied: Seen

    @property
    def spread(self) -> float:
        """How many medians the 99th percentile is."""
        return self.applied.p99_ms / self.applied.p50_ms


def write_requests(people: Sequence[Person], **headers: str) -> list[str]:
    """A subscription for each of them, each time under a new key."""
    body = json.dumps({"price_id": str(STUDIO.id("price"))})
    return [
        write_request("POST", HOST, PATH, {**person.authorization, "Idempotency-Key": KEY, **headers}, body)
        for person in people
    ]


def measure(ground: Ground, bus: str, round_count: int, seconds: tuple[float, float]) -> list[Round]:
    """Rounds on one bus, on a database of its own. Raises RuntimeError if a command stays unapplied."""
    url = ground.make_database(f"accept_{bus.lower()}")
    place = Place(url, ground.amqp_url if bus == "RabbitMQ" else None, ground.directory)
    rounds = []
    with (
        place.serving("client_api", API_COUNT) as ports,
        place.running(CONSUMER_COUNTS[bus], with_relay=False),
    ):
        people = register(ports[0], PERSON_COUNT)
        accepting, waiting = write_requests(people), write_requests(people, Prefer="wait=10")
        for _ in range(round_count):
            accepted = send_load(Job(ports, accepting, seconds[0], connections=CONNECTION_COUNT))
            wait_until_answered(url)
            applied = send_load(Job(ports, waiting, seconds[1], rate=accepted.rate / 2))
            wait_until_answered(url)
            rounds.append(_checked(Round(accepted, applied)))
            _tell(bus, rounds[-1])
    return rounds


def _checked(one: Round) -> Round:
    # Who does not wait may still find the command applied.
    if {*one.accepted.statuses, *one.applied.statuses} - {"201", "202"}:
        raise RuntimeError(f"answered {one.accepted.statuses} and {one.applied.statuses}")
    return one


def _tell(bus: str, one: Round) -> None:
    print(
        f"  {bus:9} {one.accepted.rate:6,.0f} accepted/s; at half of it p50 {one.applied.p50_ms:.1f}, "
        f"p95 {one.applied.p95_ms:.1f}, p99 {one.applied.p99_ms:.1f} ms, "
        f"{one.applied.statuses.get('202', 0)} not applied in time",
        flush=True,
    )


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Medians over the rounds of one bus."""
    return {
        "p99_to_p50": round(statistics.median(one.spread for one in rounds), 1),
        "accepted_per_second": round(statistics.median(one.accepted.rate for one in rounds)),
        "p50_ms": statistics.median(one.applied.p50_ms for one in rounds),
        "p95_ms": statistics.median(one.applied.p95_ms for one in rounds),
        "p99_ms": statistics.median(one.applied.p99_ms for one in rounds),
        "not_applied_in_time": sum(one.applied.statuses.get("202", 0) for one in rounds),
        "rounds": len(rounds),
    }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Commands accepted over HTTP, and the time until applied.")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    quick = parser.parse_args(arguments).quick
    load_before = os.getloadavg()[0]
    seconds = (QUICK_SECONDS, QUICK_SECONDS) if quick else (ACCEPT_SECONDS, WAIT_SECONDS)
    with private_ground(with_rabbit=True) as ground:
        by_bus = {
            bus: summary(measure(ground, bus, 1 if quick else ROUND_COUNT, seconds))
            for bus in CONSUMER_COUNTS
        }
    print(f"{ground.versions}; load average before: {load_before:.1f}")
    known = {"versions": ground.versions, "load_average_before": round(load_before, 1)}
    print(json.dumps(by_bus | known))


if __name__ == "__main__":
    main(sys.argv[1:])
