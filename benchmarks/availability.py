"""`python -m benchmarks.availability`: free time of 100 halls for 30 days, with 10⁵ and with 10⁶ bookings.

The whole answer, made as the route makes it, against the bare statement that fetches the same rows of
`occupancy` on the same connection and role. The two databases differ only in their past. It prints a table
and, on its last line, one JSON object, `ratio` first. docs/performance.md tells what is compared.
"""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import psycopg
from sqlalchemy import Connection

from benchmarks.ground import Ground, private_ground
from benchmarks.halls import ALL_DAY, make_halls
from benchmarks.people import HOST, STUDIO
from benchmarks.workers import Place
from booking.availability import Asked, availability, window_of
from booking.queries import read_halls, read_taken
from booking.rules.calendar import Span
from kit.ids import derived_id
from runtime.ports import LOOPBACK
from storage.database import create_role_engine, tenant

HALL_COUNT = 100
DAY_COUNT = 30
# One an hour, one after another: halls as full as a studio would wish.
BOOKINGS_A_DAY = 10
ROUND_COUNT = 15
TIMEZONE: Final = "Europe/Moscow"
ROLE: Final = "billbus_api"
ANSWER_SECONDS_MAX = 30.0

_CUSTOMER = "INSERT INTO customer (id, studio_id, email, name) VALUES (%s, %s, 'past@example.org', 'Past')"
# Triggers and foreign keys are off: the rows are as the product would leave them, but for the hashes.
_BOOKINGS = """
    INSERT INTO booking (id, studio_id, customer_id, hall_id, state, version, head_hash, starts_at, ends_at,
        people, currency, total_minor, lines, terms, payment, origin, hold_expires_at, created_at, updated_at)
    SELECT md5(h.id || ':' || n)::uuid, h.studio_id, %(customer_id)s, h.id,
        CASE WHEN at < now() THEN 'completed' ELSE 'confirmed' END, 3, '', at, at + interval '1 hour', 2,
        'RUB', 200000, '[]', '[]', 'online', 'customer', at, at, at
    FROM hall h CROSS JOIN generate_series(0, %(count)s - 1) AS n
    CROSS JOIN LATERAL (SELECT %(end)s::timestamptz - (n / %(per_day)s + 1) * interval '1 day'
        + (8 + n %% %(per_day)s) * interval '1 hour' AS at) AS started
"""
_OCCUPANCY = """
    INSERT INTO occupancy (id, studio_id, hall_id, kind, booking_id, starts_at, ends_at, created_at)
    SELECT md5('of ' || id)::uuid, studio_id, hall_id, 'booking', id, starts_at, ends_at, created_at
    FROM booking ORDER BY starts_at
"""
_BARE = """
    SELECT hall_id, starts_at, ends_at FROM occupancy
    WHERE hall_id = ANY (%s) AND released_at IS NULL AND ends_at > %s AND starts_at < %s
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bookings the two databases hold, the window's included."""

    small: int = 100_000
    large: int = 1_000_000
    rounds: int = ROUND_COUNT


QUICK = Sizes(small=35_000, large=70_000, rounds=2)


def make_shop(ground: Ground, name: str, booking_count: int, midnight: datetime) -> str:
    """A database whose halls have been booked until DAY_COUNT days after `midnight`; gives its URL."""
    url = ground.make_database(name)
    make_halls(url, HALL_COUNT, ALL_DAY)
    customer_id = derived_id("availability customer")
    values = {
        "customer_id": customer_id,
        "count": booking_count // HALL_COUNT,
        "per_day": BOOKINGS_A_DAY,
        "end": midnight + timedelta(days=DAY_COUNT),
    }
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("SET synchronous_commit = off")
        owner.execute(_CUSTOMER, [customer_id, STUDIO.id("studio")])
        owner.execute(_BOOKINGS, values)
        owner.execute(_OCCUPANCY)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    return url


def measure(url: str, window: Span, round_count: int) -> dict[str, list[float]]:
    """Milliseconds of each way, in turn. Raises RuntimeError if the window holds no bookings."""
    engine = create_role_engine(url, ROLE, "benchmark")
    seen: dict[str, list[float]] = {}
    try:
        for _ in range(round_count + 1):
            with tenant(engine, STUDIO.id("studio")) as connection:
                for name, way in _WAYS.items():
                    seen.setdefault(name, []).append(_timed(way, connection, window))
    finally:
        engine.dispose()
    return {name: times[1:] for name, times in seen.items()}


def _timed(way: Callable[[Connection, Span], int], connection: Connection, window: Span) -> float:
    # What another way has left behind is not to be paid by this one.
    gc.collect()
    began_at = time.perf_counter()
    size = way(connection, window)
    taken_ms = (time.perf_counter() - began_at) * 1_000
    if not size:
        raise RuntimeError("nothing was found: the comparison would mean nothing")
    return taken_ms


def _fetch_bare(connection: Connection, window: Span) -> int:
    hall_ids = [derived_id("hall of a benchmark", number) for number in range(HALL_COUNT)]
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as cursor:
        return len(cursor.execute(_BARE, [hall_ids, window.starts_at, window.ends_at]).fetchall())


def _read(connection: Connection, window: Span) -> int:
    hall_ids = [hall.id for hall in read_halls(connection)]
    return sum(len(taken) for taken in read_taken(connection, hall_ids, window).values())


def _answer(connection: Connection, window: Span, minutes: int | None = None) -> int:
    asked = Asked(window, minutes, datetime.now(UTC))
    return len(availability(connection, TIMEZONE, read_halls(connection), asked))


BARE, READ, ANSWER, STARTS = "the bare statement", "read as the product reads", "answer", "answer with starts"
_WAYS: Final[dict[str, Callable[[Connection, Span], int]]] = {
    BARE: _fetch_bare,
    READ: _read,
    ANSWER: _answer,
    STARTS: lambda connection, window: _answer(connection, window, 120),
}


def measure_http(ground: Ground, url: str, window: Span, round_count: int) -> list[float]:
    """Milliseconds of the same question over HTTP."""
    days = {"from": str(window.starts_at.date()), "to": str(window.ends_at.date())}
    times = []
    with (
        Place(url, None, ground.directory).serving("client_api") as (port,),
        httpx.Client(headers={"Host": HOST}, timeout=ANSWER_SECONDS_MAX) as client,
    ):
        for _ in range(round_count + 1):
            began_at = time.perf_counter()
            answer = client.get(f"http://{LOOPBACK}:{port}/api/v1/availability", params=days)
            times.append((time.perf_counter() - began_at) * 1_000)
            answer.raise_for_status()
    return times[1:]


def report(seen: dict[str, dict[str, list[float]]], http: list[float], versions: str, load: float) -> None:
    """The table, then the JSON line: medians of each round's ratio."""
    for size, ways in seen.items():
        for name, times in ways.items():
            print(f"{size:6} {name:28} {statistics.median(times):8.1f} ms, best {min(times):8.1f}")
    print(f"{'large':6} {'over HTTP':28} {statistics.median(http):8.1f} ms, best {min(http):8.1f}")
    large, small = seen["large"], seen["small"]
    summary = {
        "ratio": _ratio(large[ANSWER], large[BARE]),
        "ratio_with_starts": _ratio(large[STARTS], large[BARE]),
        "ratio_tenfold": round(statistics.median(large[ANSWER]) / statistics.median(small[ANSWER]), 2),
        "ratio_tenfold_best": round(min(large[ANSWER]) / min(small[ANSWER]), 2),
        "milliseconds": {name: round(statistics.median(times), 1) for name, times in large.items()},
        "milliseconds_over_http": round(statistics.median(http), 1),
        "versions": versions,
        "load_average_before": round(load, 1),
    }
    print(f"{versions}; load average before: {load:.1f}")
    print(json.dumps(summary))


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return round(statistics.median(our / their for our, their in zip(ours, theirs, strict=True)), 2)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Free time of many halls against the bare statement.")
    parser.add_argument("--quick", action="store_true", help="little and twice, to see that it runs")
    sizes = QUICK if parser.parse_args(arguments).quick else Sizes()
    load_before = os.getloadavg()[0]
    today = datetime.now(UTC).date()
    window = window_of(TIMEZONE, today, today + timedelta(days=DAY_COUNT))
    with private_ground(with_rabbit=False) as ground:
        urls = {}
        for name, count in (("small", sizes.small), ("large", sizes.large)):
            began_at = time.monotonic()
            urls[name] = make_shop(ground, name, count, window.starts_at)
            print(f"{count:,} bookings in {time.monotonic() - began_at:.0f} s", flush=True)
        seen = {name: measure(url, window, sizes.rounds) for name, url in urls.items()}
        http = measure_http(ground, urls["large"], window, sizes.rounds)
    report(seen, http, ground.versions, load_before)


if __name__ == "__main__":
    main(sys.argv[1:])
