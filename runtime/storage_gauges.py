"""The gauges that are read from storage when somebody looks.

They need a role that sees all studios, so the relay alone shows them: it registers a `StorageCollector`.
Counts are bounded and every statement follows an index: a scrape costs some milliseconds however much waits.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from time import monotonic
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from billing.payments import ADMISSION_SECONDS

CACHE_SECONDS: Final = 5.0
COUNT_LIMIT: Final = 100_000
# Rows of which more than their number is read: they may lie anywhere on the disk.
LOOK_LIMIT: Final = 10_000
STATEMENT_TIMEOUT_MS: Final = 2_000
# A message that is due is sent within seconds; one that is due for so long is overdue.
OVERDUE_SECONDS: Final = 600
# The jobs of cron, and the proof that a backup can be restored; the last so many runs of each are looked at.
JOBS: Final = ("renewal", "reminder", "backup", "restore_drill")
RUNS_LIMIT: Final = 500

_BUS = text(f"""
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

_OWED = text(f"SELECT count(*) FROM (SELECT FROM refund_owed LIMIT {COUNT_LIMIT}) AS owed")  # noqa: S608

# Rows say when by the clock of their studio. Leave to take money is unknown when its time is over.
_UNKNOWN = text(f"""
    SELECT wanted.subject, greatest(0, coalesce(extract(epoch FROM clock_timestamp()
        - min(told.updated_at - make_interval(secs => coalesce(o.offset_seconds, 0)))), 0))
    FROM unnest(ARRAY['attempt', 'refund', 'admission']) AS wanted (subject) LEFT JOIN (
        SELECT 'attempt' AS subject, studio_id, updated_at FROM payment_attempt WHERE state = 'unknown'
        UNION ALL SELECT 'refund', studio_id, updated_at FROM refund WHERE state = 'unknown'
        UNION ALL SELECT 'admission', studio_id, admitted_at + make_interval(secs => {ADMISSION_SECONDS})
        FROM check_admission WHERE closed_at IS NULL
    ) AS told USING (subject)
    LEFT JOIN clock_offset o USING (studio_id)
    GROUP BY wanted.subject
""")  # noqa: S608

# The offset of a test studio's clock shifts its deadlines, too.
_HOLDS = text("""
    SELECT greatest(0, coalesce(extract(epoch FROM max(clock_timestamp() - looked.deadline)), 0)) FROM (
        SELECT b.hold_expires_at - make_interval(secs => coalesce(o.offset_seconds, 0)) AS deadline
        FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
        WHERE b.state IN ('held', 'awaiting_payment')
        ORDER BY b.hold_expires_at, b.id LIMIT :limit) AS looked
""")

# A clock that ran ahead leaves runs that are still to come.
# (Their label is not `job`: Prometheus calls by that name whom it asks.)
_JOBS = text("""
    SELECT wanted.job,
        coalesce(extract(epoch FROM max(run.finished_at) FILTER (WHERE run.outcome = 'done')), 0),
        coalesce((array_agg(run.outcome ORDER BY run.due_at DESC))[1] = 'failed', false)
    FROM unnest(CAST(:jobs AS text[])) AS wanted (job) LEFT JOIN LATERAL (
        SELECT due_at, finished_at, outcome FROM job_run
        WHERE job_run.job = wanted.job AND outcome IS NOT NULL AND due_at <= clock_timestamp()
        ORDER BY due_at DESC LIMIT :runs) AS run ON true
    GROUP BY wanted.job
""")

_MESSAGES = text("""
    SELECT count(*) FILTER (WHERE due_at < clock_timestamp() - make_interval(secs => :overdue)),
        count(*) FILTER (WHERE tries > 0),
        (SELECT count(*) FROM notification
            WHERE state = 'failed' AND finished_at > clock_timestamp() - interval '1 day')
    FROM (
        SELECT due_at, tries FROM notification WHERE state = 'planned'
        ORDER BY due_at LIMIT :limit) AS planned
""")

_INDEX = text("""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0) FROM (
        SELECT received_at FROM event_log WHERE indexed_at IS NULL
        ORDER BY index_due_at LIMIT :limit) AS waiting
""")


def storage_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    """Reads the gauges in the caller's transaction, over all studios; counts stop at their limits."""
    connection.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    return [
        *_bus_gauges(connection),
        *_money_gauges(connection),
        *_job_gauges(connection),
        *_message_gauges(connection),
        *_index_gauges(connection),
        _gauge("billbus_database_up", "Whether these gauges could be read", 1),
    ]


def _bus_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    oldest_seconds, parked, waiting, outbox_seconds = connection.execute(_BUS).one()
    return [
        _gauge("billbus_oldest_accepted_seconds", "Age of the oldest unapplied command", oldest_seconds),
        _gauge("billbus_parked_commands", "Commands that wait for a person", parked),
        _gauge("billbus_outbox_waiting", "Outbox rows not yet sent", waiting),
        _gauge("billbus_outbox_lag_seconds", "Age of the oldest outbox row not yet sent", outbox_seconds),
    ]


def _money_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    return [
        _labeled(
            "billbus_unapplied_minor",
            "Received money that belongs to no invoice, minor units",
            "currency",
            [(str(currency), float(amount)) for currency, amount in connection.execute(_UNAPPLIED)],
        ),
        _labeled(
            "billbus_oldest_unknown_seconds",
            "How long nobody has known what became of an attempt, a refund or an admission; 0: all is known",
            "subject",
            [(str(subject), float(age)) for subject, age in connection.execute(_UNKNOWN)],
        ),
        _gauge(
            "billbus_refunds_declined_open",
            "Payments whose promised refund was declined and that nobody has given back otherwise",
            connection.execute(_OWED).scalar_one(),
        ),
        _gauge(
            "billbus_hold_overdue_seconds",
            "How long past its deadline a hall has been held for who has not paid, at most; 0: none is",
            connection.execute(_HOLDS, {"limit": LOOK_LIMIT}).scalar_one(),
        ),
    ]


def _job_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    rows = connection.execute(_JOBS, {"jobs": list(JOBS), "runs": RUNS_LIMIT}).all()
    return [
        _labeled(
            "billbus_job_last_success_timestamp_seconds",
            "When the last good run of a job ended; 0: never",
            "name",
            [(job, float(at)) for job, at, _ in rows],
        ),
        _labeled(
            "billbus_job_failed",
            "Whether the last run of a job that has ended was a failed one",
            "name",
            [(job, float(failed)) for job, _, failed in rows],
        ),
    ]


def _message_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    asked = {"overdue": OVERDUE_SECONDS, "limit": LOOK_LIMIT}
    overdue, retried, failed = connection.execute(_MESSAGES, asked).one()
    return [
        _gauge("billbus_notifications_overdue", "Messages that should have left long ago", overdue),
        _gauge("billbus_notifications_retried", "Messages that were tried and are tried again", retried),
        _gauge("billbus_notifications_failed_day", "Messages given up in the last 24 hours", failed),
    ]


def _index_gauges(connection: Connection) -> list[GaugeMetricFamily]:
    waiting, age_seconds = connection.execute(_INDEX, {"limit": LOOK_LIMIT}).one()
    return [
        _gauge("billbus_index_waiting", "Logged events that the search index has not taken", waiting),
        _gauge("billbus_index_lag_seconds", "Age of the oldest of them that is looked at", age_seconds),
    ]


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _labeled(name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family


class StorageCollector(Collector):
    """Shows `storage_gauges` on a scrape, at most one look per CACHE_SECONDS however many scrape.

    `connect` gives a transaction that ends with its context, such as `engine.begin`. While the database is
    away `billbus_database_up` is 0 and the others are missing: what is not known is no zero.
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
                self._families = self._look()
                self._seen_at = monotonic()
            return list(self._families)

    def _look(self) -> list[GaugeMetricFamily]:
        try:
            with self._connect() as connection:
                return storage_gauges(connection)
        except SQLAlchemyError as error:
            structlog.get_logger(__name__).warning("gauges are not read", reason=str(error)[:200])
            return [_gauge("billbus_database_up", "Whether these gauges could be read", 0)]
