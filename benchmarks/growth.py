"""`python -m benchmarks.growth`: the command throughput with 10⁴ and with 10⁶ invoices in the database.

What is measured is one consumer of `benchmarks.commands`, on copies of two databases that differ only in the
past of their studios, in turn. It prints a table and, on its last line, one JSON object, `ratio` (large to
small) first. docs/performance.md tells what is compared and how far to trust it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.history import fill_histories
from benchmarks.stage import TEMPLATE, Bench, servers
from benchmarks.subjects import STUDIO_COUNT, Subject

SUBJECT_COUNT = 12_000
ROUND_COUNT = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many invoices lie in the past of the two databases, and how many commands are applied on top."""

    small: int = 10_000
    large: int = 1_000_000
    subjects: int = SUBJECT_COUNT
    rounds: int = ROUND_COUNT


QUICK = Sizes(small=320, large=3_200, subjects=640, rounds=1)


def make_templates(bench: Bench, sizes: Sizes) -> None:
    """The databases `small` and `large`: the same customers who are about to pay, another past."""
    bench.fill()
    studio_ids = [Subject(number).id("studio") for number in range(STUDIO_COUNT)]
    for name, invoice_count in (("small", sizes.small), ("large", sizes.large)):
        began_at = time.monotonic()
        url = bench.ground.copy_database(name, TEMPLATE)
        fill_histories(url, studio_ids, invoice_count // STUDIO_COUNT, ends_at=datetime.now(UTC))
        print(f"{invoice_count:,} invoices in {time.monotonic() - began_at:.0f} s", flush=True)


def run_rounds(bench: Bench, round_count: int) -> dict[str, list[float]]:
    """Rates by database in the order of rounds; every other round goes backwards."""
    rates: dict[str, list[float]] = {"small": [], "large": []}
    for number in range(round_count):
        print(f"round {number + 1} of {round_count}", flush=True)
        for name in list(rates) if number % 2 == 0 else reversed(list(rates)):
            rates[name].append(bench.measure_consumers(1, template=name).rate)
            print(f"  {name:6} {rates[name][-1]:8,.0f}/s   load {os.getloadavg()[0]:.1f}", flush=True)
    return rates


def report(rates: dict[str, list[float]], sizes: Sizes, versions: str, load_before: float) -> None:
    """The table, then the JSON line. The ratio is of the same round, the median over the rounds."""
    ratios = [large / small for large, small in zip(rates["large"], rates["small"], strict=True)]
    invoices = {"small": sizes.small, "large": sizes.large}
    print(f"\n{'applied commands per second':34}{'rounds':28} median")
    for name, measured in rates.items():
        shown = " ".join(f"{rate:8,.0f}" for rate in measured)
        print(f"{f'{invoices[name]:,} invoices':34}{shown:28}{statistics.median(measured):7,.0f}")
    print(f"{versions}; load average before: {load_before:.1f}")
    summary = {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "invoices": invoices,
        "per_second": {name: round(statistics.median(measured)) for name, measured in rates.items()},
        "versions": versions,
        "load_average_before": round(load_before, 1),
    }
    print(json.dumps(summary))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Applied commands per second in a grown database.")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    sizes = QUICK if parser.parse_args(arguments).quick else Sizes()
    load_before = os.getloadavg()[0]
    with servers(sizes.subjects) as (bench, versions):
        make_templates(bench, sizes)
        rates = run_rounds(bench, sizes.rounds)
    report(rates, sizes, versions, load_before)


if __name__ == "__main__":
    main(sys.argv[1:])
