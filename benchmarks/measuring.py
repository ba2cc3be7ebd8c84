"""One yardstick for both sides: the instants at which the journal says that commands were answered.

Called by the benchmark after each measurement, on the database that was measured.
"""

import subprocess
from collections.abc import Sequence
from datetime import datetime

import psycopg

from benchmarks.subjects import CORRELATION_ID

# What is measured lies between these parts of each consumer's own answers: no start-up, no end.
STEADY_FROM, STEADY_TO = 0.1, 0.9
ASK_SECONDS_MAX = 10.0

_ANSWERS = """
    SELECT answered_at FROM command_journal
    WHERE kind = 'RecordPaymentOutcome' AND state = 'applied' AND partition %% %s = %s AND correlation_id = %s
    ORDER BY answered_at
"""
_TRACES = """
    SELECT machine || ' ' || state, count(*) FROM invariant.aggregate GROUP BY 1
    UNION ALL SELECT 'command ' || state, count(*) FROM command_journal GROUP BY 1
    UNION ALL SELECT 'event', count(*) FROM state_event
    UNION ALL SELECT 'transfer', count(*) FROM ledger_transfer
    UNION ALL SELECT 'outbox', count(*) FROM outbox
    UNION ALL SELECT 'payment', count(*) FROM provider_payment
    ORDER BY 1
"""


def steady_rate(connection: psycopg.Connection[tuple[object, ...]], consumer_count: int = 1) -> float:
    """Commands per second while all `consumer_count` consumers were in the middle of their work.

    pgbench is one consumer here. 0.0 if there was too little work for them to be busy at the same time.
    """
    answers: list[list[datetime]] = []
    for index in range(consumer_count):
        rows = connection.execute(_ANSWERS, [consumer_count, index, CORRELATION_ID]).fetchall()
        answers.append([instant for (instant,) in rows if isinstance(instant, datetime)])
    start = max(_at(one, STEADY_FROM) for one in answers)
    end = min(_at(one, STEADY_TO) for one in answers)
    if end <= start:
        return 0.0
    answered = sum(start < instant <= end for one in answers for instant in one)
    return answered / (end - start).total_seconds()


def _at(instants: Sequence[datetime], part: float) -> datetime:
    return instants[int(part * (len(instants) - 1))]


def traces(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    """How many rows are in which state: two ways that do the same work leave the same counts."""
    return dict(connection.execute(_TRACES).fetchall())  # type: ignore[arg-type]


def resident_mib(process_id: int) -> int:
    """Memory of a living process that is in RAM, shared pages included."""
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process_id)],
        capture_output=True,
        text=True,
        check=True,
        timeout=ASK_SECONDS_MAX,
    )
    return int(said.stdout) // 1024
