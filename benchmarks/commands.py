"""`python -m benchmarks.commands`: commands applied per second, against pgbench, on private durable servers.

Every measurement works on its own copy of one filled database: pgbench, one consumer, two consumers, one
consumer beside the relay, pgbench in pipelines; then the next round. It prints a table and, on its last line,
one JSON object. `--quick` runs one tiny round, whose numbers mean nothing. docs/performance.md tells what is
compared and how far to trust it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.stage import Bench, Measurement, servers

ROUND_COUNT = 3
SUBJECT_COUNT = 16_000
QUICK_SUBJECT_COUNT = 640
# No round begins that would end later than this.
TIME_LIMIT_SECONDS = 420.0

RIVAL = "pgbench, 16 clients"
ONE = "one consumer"
TWO = "two consumers"
WITH_RELAY = "one consumer beside the relay"
PIPELINED_RIVAL = "pgbench, 16 clients, pipelines"
# In the order of a round. The books are checked in the first round only: it takes as long as a measurement.
MEASUREMENTS: dict[str, Callable[[Bench, bool], Measurement]] = {
    RIVAL: lambda bench, _: bench.measure_rival(pipeline=False),
    ONE: lambda bench, is_first: bench.measure_consumers(1, check_books=is_first),
    TWO: lambda bench, is_first: bench.measure_consumers(2, check_books=is_first),
    WITH_RELAY: lambda bench, is_first: bench.measure_consumers(1, with_relay=True, check_books=is_first),
    PIPELINED_RIVAL: lambda bench, _: bench.measure_rival(pipeline=True),
}


@dataclass(slots=True)
class Results:
    """Rates per second by what was measured, in the order of rounds; memory by process."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    resident_mib: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, measured: Measurement) -> None:
        self.rates.setdefault(name, []).append(measured.rate)
        self.resident_mib |= {f"{name}: {process}": mib for process, mib in measured.resident_mib.items()}

    def ratio(self, name: str) -> float:
        """To pgbench of the same round; the median over the rounds."""
        pairs = zip(self.rates[name], self.rates[RIVAL], strict=True)
        return round(statistics.median(ours / theirs for ours, theirs in pairs), 2)


def run_rounds(bench: Bench, round_count: int, began_at: float) -> Results:
    """Measures everything, again and again, within TIME_LIMIT_SECONDS of `began_at`."""
    results = Results()
    for number in range(1, round_count + 1):
        round_began_at = time.monotonic()
        print(f"round {number} of {round_count}", flush=True)
        _run_round(bench, results, is_first=number == 1)
        now = time.monotonic()
        if number < round_count and now + (now - round_began_at) > began_at + TIME_LIMIT_SECONDS:
            print("no time for another round: the machine is slow today", flush=True)
            break
    return results


def _run_round(bench: Bench, results: Results, *, is_first: bool) -> None:
    """Raises RuntimeError if two ways have not done the same work."""
    wanted: dict[str, int] | None = None
    for name, measure in MEASUREMENTS.items():
        measured = measure(bench, is_first)
        results.add(name, measured)
        print(f"  {name:32} {measured.rate:8,.0f}/s   load {os.getloadavg()[0]:.1f}", flush=True)
        wanted = wanted or measured.traces
        if measured.traces != wanted:
            raise RuntimeError(f"{name} left {measured.traces}, {RIVAL} left {wanted}")


def report(results: Results, versions: str, load_before: float) -> None:
    """The table, then the JSON line."""
    print(f"\n{'applied commands per second':34}{'rounds':28} median   ratio")
    for name, rates in results.rates.items():
        shown = " ".join(f"{rate:8,.0f}" for rate in rates)
        print(f"{name:34}{shown:28}{statistics.median(rates):7,.0f}{results.ratio(name):8.2f}")
    for name, mib in results.resident_mib.items():
        print(f"resident memory, {name:45} {mib:5} MiB")
    print(f"{versions}; load average before: {load_before:.1f}")
    print(json.dumps(summary(results, versions, load_before)))


def summary(results: Results, versions: str, load_before: float) -> dict[str, object]:
    """What the last line says; `ratio` is one consumer's. Who gets here has verified books."""
    return {
        "ratio": results.ratio(ONE),
        "ratio_two": results.ratio(TWO),
        "ratio_with_relay": results.ratio(WITH_RELAY),
        "ratio_of_pipelined_pgbench": results.ratio(PIPELINED_RIVAL),
        "per_second": {name: round(statistics.median(rates)) for name, rates in results.rates.items()},
        "rounds": len(results.rates[RIVAL]),
        "books": "verified",
        "resident_mib": results.resident_mib,
        "versions": versions,
        "load_average_before": round(load_before, 1),
    }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Applied commands per second against pgbench.")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    quick = parser.parse_args(arguments).quick
    began_at, load_before = time.monotonic(), os.getloadavg()[0]
    with servers(QUICK_SUBJECT_COUNT if quick else SUBJECT_COUNT) as (bench, versions):
        print(f"{versions}; filling {bench.subject_count:,} customers", flush=True)
        bench.fill()
        bench.record()
        results = run_rounds(bench, 1 if quick else ROUND_COUNT, began_at)
    report(results, versions, load_before)


if __name__ == "__main__":
    main(sys.argv[1:])
