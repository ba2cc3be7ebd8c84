"""`python -m benchmarks.bookings`: booked and paid stories per second over HTTP, with pgbench -N beside them.

Two processes of the client API, two consumers, the relay and the provider's twin, on RabbitMQ; a closed loop
of clients, who pay at the provider, and then others, who are to pay on site. Rounds alternate with pgbench on
the same server. It prints how long the stages take and whose CPU time a story is, and on its last line one
JSON object. docs/performance.md tells how far to trust it.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final
from uuid import UUID

import psycopg

from benchmarks.booked import Measured, Round
from benchmarks.ground import Ground, private_ground
from benchmarks.halls import make_halls
from benchmarks.people import STUDIO, register
from benchmarks.pgbench import fill_pgbench, run_pgbench
from benchmarks.stories import ON_SITE, ONLINE, Client, Payment
from benchmarks.twin import Twin, running_twin
from benchmarks.workers import Crew, Place

PROCESSES: Final = {"client_api": 2, "billing_consumer": 2, "state_updater": 1}
CLIENT_COUNT = 24
HALL_COUNT = 8
ROUND_COUNT = 3
SECONDS, QUICK_SECONDS = 20.0, 4.0
PGBENCH_SECONDS, QUICK_PGBENCH_SECONDS = 15, 2
_PARTS: Final = {"p50": 0.5, "p99": 0.99}


@dataclass(slots=True)
class Run:
    """One database with its crew: whose times are left, and what has been measured."""

    ground: Ground
    crew: Crew
    twin: Twin
    measured: Measured
    hall_ids: Sequence[UUID]
    starts: Sequence[Iterator[datetime]]
    pgbench: list[float] = field(default_factory=list)
    rounds: dict[Payment, list[Round]] = field(default_factory=lambda: {ONLINE: [], ON_SITE: []})
    story_count: int = 0

    def play_round(self, seconds: float, pgbench_seconds: int) -> None:
        """pgbench, then each way to pay. Raises RuntimeError when anything of it goes wrong."""
        self.pgbench.append(run_pgbench(self.ground, pgbench_seconds))
        for payment, rounds in self.rounds.items():
            clients = self._clients(payment)
            rounds.append(self.measured.measure(clients, seconds))
            self.story_count += sum(len(client.told) for client in clients)
        self.measured.check(self.story_count)

    def _clients(self, payment: Payment) -> list[Client]:
        """New ones each time: nobody may promise to pay for many times on site."""
        return [
            Client(
                payment=payment,
                person=person,
                hall_id=self.hall_ids[number % HALL_COUNT],
                starts=self.starts[number],
                api_port=self.crew.ports[number % len(self.crew.ports)],
                twin_port=self.twin.port,
            )
            for number, person in enumerate(register(self.crew.ports[0], CLIENT_COUNT))
        ]


@contextmanager
def running(ground: Ground) -> Iterator[Run]:
    """The product on a database of its own, for the length of a block."""
    fill_pgbench(ground)
    url = ground.make_database("bookings")
    hall_ids = make_halls(url, HALL_COUNT)
    with psycopg.connect(url) as owner:
        owner.execute("CREATE EXTENSION pg_stat_statements")
        owner.execute("UPDATE studio SET pays_on_site = true WHERE id = %s", [STUDIO.id("studio")])
    place = Place(url, ground.amqp_url, ground.directory)
    with place.crew(PROCESSES) as crew, running_twin(ground.directory) as twin:
        twin.introduce(place, crew.ports)
        measured = Measured(ground, url, crew, twin.process_id)
        yield Run(ground, crew, twin, measured, hall_ids, [_starts_of(n) for n in range(CLIENT_COUNT)])


def _starts_of(number: int) -> Iterator[datetime]:
    """The hours of a hall that are this client's, from three days ahead on: those who share it take turns."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
    sharing = CLIENT_COUNT // HALL_COUNT
    return (day + timedelta(hours=turn * sharing + number // HALL_COUNT) for turn in count())


def _tell(run: Run) -> None:
    online, on_site, tps = run.rounds[ONLINE][-1].rate, run.rounds[ON_SITE][-1].rate, run.pgbench[-1]
    print(
        f"  {online:6.1f} stories/s, {on_site:6.1f} on site/s, pgbench -N {tps:7.0f}/s, "
        f"ratio {online / tps:.4f}   load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def summary(run: Run) -> dict[str, object]:
    """Medians over the rounds; stages over the stories of all of them. Who gets here has verified books."""
    online = run.rounds[ONLINE]
    ratios = [each.rate / tps for each, tps in zip(online, run.pgbench, strict=True)]
    return {
        "stories_per_second": _rate(online),
        "ratio": round(statistics.median(ratios), 4),
        "on_site_per_second": _rate(run.rounds[ON_SITE]),
        "pgbench_tps": round(statistics.median(run.pgbench)),
        **{payment: _details(rounds) for payment, rounds in run.rounds.items()},
        "rounds": len(online),
        "books": "verified",
    }


def _rate(rounds: Sequence[Round]) -> float:
    return round(statistics.median(each.rate for each in rounds), 1)


def _details(rounds: Sequence[Round]) -> dict[str, object]:
    told = [one for each in rounds for one in each.told]
    stages = {name: _percentiles([one.stages_ms[name] for one in told]) for name in told[0].stages_ms}
    return {
        "ms by stage": stages | {"whole story": _percentiles([one.whole_ms for one in told])},
        "CPU ms a story": _medians([each.cpu_ms for each in rounds]),
        "statements a story": _medians([each.statements for each in rounds]),
        "stories": len(told),
    }


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {name: round(ordered[int(part * (len(ordered) - 1))], 1) for name, part in _PARTS.items()}


def _medians(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in each), 1) for name in each[0]}


def report(found: Mapping[str, object]) -> None:
    """The tables of what the JSON line says."""
    for payment in (ONLINE, ON_SITE):
        details = found[payment]
        assert isinstance(details, dict)
        for title, rows in details.items():
            print(f"{payment}: {title}{'' if isinstance(rows, dict) else f' {rows}'}")
            for name, value in rows.items() if isinstance(rows, dict) else ():
                print(f"  {name:24} {value}")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Booked and paid stories per second over HTTP.")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    quick = parser.parse_args(arguments).quick
    load_before = os.getloadavg()[0]
    sizes = (QUICK_SECONDS, QUICK_PGBENCH_SECONDS) if quick else (SECONDS, PGBENCH_SECONDS)
    with private_ground(with_rabbit=True, counting_statements=True) as ground, running(ground) as run:
        for _ in range(1 if quick else ROUND_COUNT):
            run.play_round(*sizes)
            _tell(run)
        found = summary(run)
    report(found)
    print(f"{ground.versions}; load average before: {load_before:.1f}")
    print(json.dumps(found | {"versions": ground.versions, "load_average_before": round(load_before, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
