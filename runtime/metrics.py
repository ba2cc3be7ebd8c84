"""Every metric that a process counts with. Labels are short closed lists, never ids.

What is read from storage is in `runtime.storage_gauges`; alerts and dashboards over it are in `deploy`.
"""

import psycopg
from prometheus_client import Counter, Gauge, Histogram, start_http_server

LOST_CONNECTION = "08"

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
EVENTS_HANDLED = Counter(
    "billbus_events_handled",
    "Events taken from the bus, by consumer: handled or rejected",
    ["consumer", "result"],
)
EVENT_AGE_SECONDS = Histogram(
    "billbus_event_age_seconds",
    "From what happened to its being handled, by consumer; a studio that lives at another time counts as 0",
    ["consumer"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600, 86400),
)
SEARCH_EVENTS = Counter(
    "billbus_search_events",
    "What the search index did with events: taken, there_already, refused, busy",
    ["result"],
)
CALLBACKS = Counter("billbus_callbacks", "Provider callbacks by type and what was done", ["type", "result"])
CALLBACK_SIGNATURE_FAILURES = Counter(
    "billbus_callback_signature_failures", "Callbacks that their provider did not sign", ["provider"]
)
JOB_LATE_SECONDS = Gauge(
    "billbus_job_late_seconds", "How long ago a job of this process should have been over", ["name"]
)
NOTIFICATIONS = Counter(
    "billbus_notifications",
    "Messages to customers by kind and what became of them: sent, superseded, failed, put_off",
    ["kind", "result"],
)
LAST_SWEEP = Gauge(
    "billbus_last_sweep_timestamp_seconds", "When this worker last looked at all that may be due; 0: never"
)
SEARCH_INDEX_ON = Gauge("billbus_search_index_on", "Whether this process writes a search index")
DATABASE_ERRORS = Counter(
    "billbus_database_errors",
    "Errors of the database by class of SQLSTATE, 08 for a lost connection; no refusals of requests",
    ["sqlstate_class"],
)
HTTP_REQUEST_SECONDS = Histogram(
    "billbus_http_request_seconds", "Requests by method, route and status", ["method", "route", "status"]
)


def serve_metrics(port: int | None, host: str = "127.0.0.1") -> None:
    """Starts the scrape endpoint of a process that has no HTTP of its own; nothing for None.

    Raises SystemExit with a sentence: nobody can listen there.
    """
    if port is None:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise SystemExit(f"billbus: METRICS_PORT: cannot listen on {host}:{port}: {error.strerror}") from None


def count_database_error(error: BaseException) -> None:
    """Called wherever a process meets an error of the driver's own; what is no such error is not counted."""
    if isinstance(error, psycopg.Error):
        DATABASE_ERRORS.labels(error.sqlstate[:2] if error.sqlstate else LOST_CONNECTION).inc()
