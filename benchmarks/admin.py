"""`python -m benchmarks.admin`: the SQL time of the admin's lists and searches at 10⁴ and at 10⁶ invoices.

Every listing is read as its page reads it, as billbus_admin in one studio: its first and its deepest page,
each sort both ways, each choice of each filter, and searches. The time is that of the statements alone. It
prints a table and, on its last line, one JSON object, `ratio` (large to small) first. docs/performance.md
tells more.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import sessionmaker

from admin_api.listings import LISTINGS, OFFSET_LIMIT, Filter, Listing, ListQuery
from admin_api.walls import GuardedSession, guarded_sessions, in_studio
from benchmarks.ground import Ground, private_ground
from benchmarks.history import fill_history
from benchmarks.people import STUDIO
from storage.database import create_role_engine

ROLE = "billbus_admin"
PAGE_SIZE = 20
READ_COUNT = 5
LATELY = timedelta(days=30)
LIMIT_MS = 300.0
# Faster than this nobody asks by how much it grew: a count runs to its limit, where there was less to count.
NOTICED_MS = 20.0
SIZES = {"small": 10_000, "large": 1_000_000}
QUICK_SIZES = {"small": 500, "large": 2_000}
# What people look for: somebody and something from the middle of the studio's past.
_SOUGHT = """
    SELECT i.number, c.name, c.email, c.id FROM invoice i JOIN customer c ON c.id = i.customer_id
    ORDER BY i.id OFFSET (SELECT count(*) / 2 FROM invoice) LIMIT 1
"""
_COUNT = text("SELECT count(*) FROM invoice WHERE studio_id = :studio_id")

Case = tuple[str, str]


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds that the statements of an engine have taken since they were last asked for."""

    spent_ms: float = 0.0
    _began_at: float = 0.0

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)

    def take(self) -> float:
        spent_ms, self.spent_ms = self.spent_ms, 0.0
        return spent_ms

    def _begin(self, *_: object) -> None:
        self._began_at = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.spent_ms += (time.perf_counter() - self._began_at) * 1_000


@dataclass(slots=True)
class Books:
    """One database and how long each case took in it, in milliseconds."""

    engine: Engine
    sessions: sessionmaker[GuardedSession]
    sought: dict[str, str]
    filter_values: dict[str, tuple[str, ...]]
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    times: dict[Case, list[float]] = field(default_factory=dict)

    def measure(self) -> None:
        """Every case once."""
        for listing in LISTINGS.values():
            for what, query in self._queries(listing):
                with in_studio(STUDIO.id("studio")), self.sessions() as session:
                    listing.read(session, query)
                self._note((listing.name, what))
        with in_studio(STUDIO.id("studio")), self.sessions() as session:
            session.connection().execute(_COUNT, {"studio_id": STUDIO.id("studio")})
        self._note(("invoices", "bare count of all"))

    def _queries(self, listing: Listing) -> Iterator[tuple[str, ListQuery]]:
        """What is asked of one listing, each with its name."""
        yield "first page", ListQuery(limit=PAGE_SIZE)
        yield "deepest page", ListQuery(offset=OFFSET_LIMIT, limit=PAGE_SIZE)
        for sort in (direction + name for name in listing.sorts for direction in ("", "-")):
            yield f"sort {sort}", ListQuery(sort=sort, limit=PAGE_SIZE)
        for one in listing.filters:
            for value in self._values(one):
                told = value if one.choices else one.kind
                yield f"{one.name} {told}", ListQuery(filters={one.name: value}, limit=PAGE_SIZE)
        if listing.search:
            for what, words in self.sought.items():
                yield f"search by {what}", ListQuery(search=words, limit=PAGE_SIZE)

    def _values(self, one: Filter) -> Sequence[str]:
        return one.choices or self.filter_values[one.kind]

    def _note(self, case: Case) -> None:
        self.times.setdefault(case, []).append(self.stopwatch.take())

    def median(self, case: Case) -> float:
        return statistics.median(self.times[case])


def open_books(ground: Ground, name: str, invoice_count: int) -> Books:
    """A studio with a past in a database of its own."""
    began_at, ends_at = time.monotonic(), datetime.now(UTC)
    url = ground.make_database(name)
    fill_history(url, STUDIO.id("studio"), invoice_count, ends_at=ends_at)
    print(f"{invoice_count:,} invoices in {time.monotonic() - began_at:.0f} s", flush=True)
    with psycopg.connect(url) as owner:
        found = owner.execute(_SOUGHT).fetchone()
    assert found is not None
    number, full_name, email, customer_id = (str(value) for value in found)
    engine = create_role_engine(url, ROLE, "benchmark")
    books = Books(
        engine,
        guarded_sessions(engine),
        {"number": number, "e-mail": email, "whole name": full_name, "first name": full_name.split()[0]},
        {
            "choice": (),
            "uuid": (customer_id,),
            "date_from": ((ends_at - LATELY).date().isoformat(),),
            "date_to": ((ends_at - LATELY).date().isoformat(),),
            "flag": ("true",),
            "text": ("cli:history",),
        },
    )
    books.stopwatch.watch(engine)
    return books


def measure(ground: Ground, sizes: dict[str, int]) -> dict[str, Books]:
    """Every case of both databases READ_COUNT times in turn, after one time that warms them up."""
    books = {name: open_books(ground, name, invoice_count) for name, invoice_count in sizes.items()}
    for one in books.values():
        one.measure()
        one.times.clear()
    for _ in range(READ_COUNT):
        for one in books.values():
            one.measure()
    return books


def report(books: dict[str, Books], sizes: dict[str, int], versions: str, load_before: float) -> None:
    """The table, slowest first, then the JSON line."""
    small, large = books["small"], books["large"]
    cases = sorted(large.times, key=large.median, reverse=True)
    print(f"\n{'ms of SQL, medians':60}{'small':>9}{'large':>9}   ratio")
    for case in cases:
        ours, theirs = large.median(case), small.median(case)
        print(f"{': '.join(case):60}{theirs:9.1f}{ours:9.1f}{ours / theirs:8.1f}")
    listed = [case for case in cases if not case[1].startswith("bare")]
    grown = {case: large.median(case) / small.median(case) for case in listed}
    print(f"{versions}; load average before: {load_before:.1f}")
    summary = {
        "ratio": round(sum(map(large.median, listed)) / sum(map(small.median, listed)), 2),
        "median_ratio": round(statistics.median(grown.values()), 2),
        "slowest_ms": round(large.median(listed[0]), 1),
        "slowest": ": ".join(listed[0]),
        "over_twice": [
            ": ".join(case) for case, ratio in grown.items() if ratio > 2 and large.median(case) > NOTICED_MS
        ],
        "over_limit": [": ".join(case) for case in listed if large.median(case) > LIMIT_MS],
        "cases": len(listed),
        "invoices": sizes,
        "versions": versions,
        "load_average_before": round(load_before, 1),
    }
    print(json.dumps(summary))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="SQL time of the admin's lists and searches.")
    parser.add_argument("--quick", action="store_true", help="two tiny databases, to see that it runs")
    sizes = QUICK_SIZES if parser.parse_args(arguments).quick else SIZES
    load_before = os.getloadavg()[0]
    with private_ground(with_rabbit=False) as ground:
        books = measure(ground, sizes)
        for one in books.values():
            one.engine.dispose()
    report(books, sizes, ground.versions, load_before)


if __name__ == "__main__":
    main(sys.argv[1:])
