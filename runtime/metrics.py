"""Every metric of the product, and the few gauges that are read from storage when somebody looks.

Processes count with the objects below. The gauges need a role that sees all studios, so the relay shows them:
it registers a `StorageCollector`; the APIs never do. Labels are short closed lists, never ids.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from time import monotonic
from typing import Final

from prometheus_client import Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text

CACHE_SECONDS: Final = 5.0
COUNT_LIMIT: Final = 100_000
STATEMENT_TIMEOUT_MS: Final = 2_000

COMMANDS_ACCEPTED = Counter(
    "billbus_commands_accepted", "Commands written to the journal by this process", ["kind"]
)
COMMANDS_ANSWERED = Counter(
    "billbus_commands_answered", "Commands given a state: applied, refused, parked", ["kind", "state"]
)
COMMAND_AGE_SECONDS = Histogram(
    "billbus_command_age_seconds",
    "From acceptance to answer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
)
GROUP_SIZE = Histogram(
    "billbus_group_size", "Commands applied in one transaction", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 1000)
)
ATTEMPT_OUTCOMES = Counter(
    "billbus_attempt_outcomes", "What was told of payment attempts, by outcome", ["outcome"]
)
CALLBACKS = Counter("billbus_callbacks", "Provider callbacks by type and what was done", ["type", "result"])
CALLBACK_SIGNATURE_FAILURES = Counter(
    "billbus_callback_signature_failures", "Callbacks that their provider did not sign", ["provider"]
)
HTTP_REQUEST_SECONDS = Histogram(
    "billbus_http_request_seconds", "Requests by method, route and status", ["method", "route", "status"]
)

_BUS_GAUGES = text(f"""
    SELECT
        COALESCE(EXTRACT(EPOCH FROM clock_timestamp()
            - (SELECT min(accepted_at) FROM command_journal WHERE state = 'accepted')), 0),
        (SELECT count(*) FROM (
            SELECT FROM command_journal WHERE state = 'parked' LIMIT {COUNT_LIMIT}) AS parked),
        (SELECT count(*) FROM (
            SELECT FROM outbox WHERE published_at IS NULL LIMIT {COUNT_LIMIT}) AS waiting),
        COALESCE(EXTRACT(EPOCH FROM clock_timestamp()
            - (SELECT min(created_at) FROM outbox WHERE published_at IS NULL)), 0)
""")  # noqa: S608

_UNAPPLIED = text("""
    SELECT currency, sum(amount_minor - refunded_minor) FROM provider_payment
    WHERE invoice_id IS NULL GROUP BY currency ORDER BY currency
""")


def storage_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    """Reads the gauges in the caller's transaction; counts stop at COUNT_LIMIT.

    Needs SELECT on command_journal, outbox and provider_payment, over all studios.
    """
    connection.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    oldest_seconds, parked, waiting, outbox_seconds = connection.execute(_BUS_GAUGES).one()
    unapplied = GaugeMetricFamily(
        "billbus_unapplied_minor",
        "Received money that belongs to no invoice, minor units",
        labels=["currency"],
    )
    for currency, amount_minor in connection.execute(_UNAPPLIED):
        unapplied.add_metric([currency], float(amount_minor))
    return [
        _gauge("billbus_oldest_accepted_seconds", "Age of the oldest unapplied command", oldest_seconds),
        _gauge("billbus_parked_commands", "Commands that wait for a person", parked),
        _gauge("billbus_outbox_waiting", "Outbox rows not yet sent", waiting),
        _gauge("billbus_outbox_lag_seconds", "Age of the oldest outbox row not yet sent", outbox_seconds),
        unapplied,
    ]


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=float(value))


class StorageCollector(Collector):
    """Shows `storage_gauges` on a scrape, at most one look per CACHE_SECONDS however many scrape.

    `connect` gives a transaction that ends with its context, such as `engine.begin`. What it raises goes to
    the scraper: a database that is away is no zero.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._seen_at = float("-inf")
        self._families: list[GaugeMetricFamily] = []

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if monotonic() - self._seen_at > CACHE_SECONDS:
                with self._connect() as connection:
                    self._families = storage_gauges(connection)
                self._seen_at = monotonic()
            return list(self._families)


def serve_metrics(port: int | None, host: str = "127.0.0.1") -> None:
    """Starts the scrape endpoint of a process that has no HTTP of its own; nothing for None."""
    if port is not None:
        start_http_server(port, addr=host)
