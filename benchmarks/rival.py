"""pgbench as the rival: the very statements that the consumer sends for one command, a transaction for each.

The script is recorded, not written: the product applies one command, every statement it sends is noted with
its arrays, and each value of that command becomes an expression that gives the same value of any subject. So
it cannot drift from the product. What differs from the consumer, in the rival's favor unless said otherwise:

- statements go one by one in a transaction of one command, `-M prepared`, CLIENT_COUNT clients (the consumer
  sends the same statements over arrays of a group, in a pipeline);
- texts of JSON and hashes are constants: it computes none, and its chain of events does not verify;
- no NOTIFY: the consumer sends one per group, and one per command would hold a database-wide lock at commit;
- each client works in a studio of its own, so that no two wait for the key share of one studio;
- ids of new rows are random instead of ordered by time (against it, and too little to see at this size).
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.subjects import CURRENCY, STUDIO_COUNT, STUDIO_KINDS, SUBJECT_KINDS, Subject, received
from billing.ledger import Account, ledger_account_id
from state_updater.apply import NOTIFY_APPLIED, apply_group
from storage.locks import advisory_key

CLIENT_COUNT = STUDIO_COUNT
THREAD_COUNT = 2
RUN_SECONDS_MAX = 180.0
_PLACEHOLDER = re.compile(r"%b(?=::)")
# A client's first transaction also looks up the ids that SQL cannot derive; \if costs no round trip.
_HEAD = f"""\\set turn :turn + 1
\\set number :turn * {STUDIO_COUNT} + :client_id
\\if :turn = 0
SELECT {", ".join(f"max(id::text) FILTER (WHERE kind = '{kind}') AS {kind}" for kind in Account)} \
FROM ledger_account WHERE studio_id = md5('studio:' || :client_id)::uuid AND currency = '{CURRENCY}' \\gset
\\endif
"""  # noqa: S608

Recorded = tuple[str, list[list[Any]]]


def record_statements(updater: psycopg.Connection[tuple[object, ...]], subject: Subject) -> list[Recorded]:
    """Applies the subject's command and returns the statements sent for it, each with its arrays."""
    recorded: list[Recorded] = []

    class RecordingCursor(psycopg.Cursor[tuple[object, ...]]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            recorded.append((query, list(params or ())))
            return super().execute(query, params, **options)

    updater.cursor_factory = RecordingCursor
    apply_group(updater, [received(subject, subject.record_payment_outcome())])
    return recorded


def write_script(recorded: Sequence[Recorded], subject: Subject, *, pipeline: bool = False) -> str:
    """A pgbench script: one transaction that does to the next subject what was recorded of this one."""
    expressions = _expressions(subject)
    now = min(
        value for _, arrays in recorded for array in arrays for value in array if isinstance(value, datetime)
    )
    statements = [
        _translate(statement, arrays, expressions, now)
        for statement, arrays in recorded
        if statement != NOTIFY_APPLIED
    ]
    transaction = "\n".join(f"{statement};" for statement in ("BEGIN", *statements, "COMMIT"))
    return _HEAD + (f"\\startpipeline\n{transaction}\n\\endpipeline\n" if pipeline else f"{transaction}\n")


def _expressions(subject: Subject) -> dict[object, str]:
    """Values that differ from subject to subject, as SQL over the script's variables."""
    studio_id = subject.id("studio")
    return {
        **{subject.id(kind): f"md5('{kind}:' || :number)::uuid" for kind in SUBJECT_KINDS},
        **{subject.id(kind): f"md5('{kind}:' || :client_id)::uuid" for kind in STUDIO_KINDS},
        **{ledger_account_id(studio_id, kind, CURRENCY): f":{kind}" for kind in Account},
        **{
            advisory_key(subject.id(kind)): f"('x' || substr(md5('{kind}:' || :number), 17))::bit(64)::bigint"
            for kind in ("customer", "payment")
        },
        subject.transaction_id: "'transaction:' || :number",
    }


def _translate(
    statement: str, arrays: Sequence[Sequence[Any]], expressions: Mapping[object, str], now: datetime
) -> str:
    filled = iter(arrays)

    def write_array(_: re.Match[str]) -> str:
        return f"ARRAY[{', '.join(_value(value, expressions, now) for value in next(filled))}]"

    return " ".join(_PLACEHOLDER.sub(write_array, statement).split())


def _value(value: Any, expressions: Mapping[object, str], now: datetime) -> str:
    if value in expressions:
        return expressions[value]
    match value:
        case None:
            return "NULL"
        case UUID():
            return "gen_random_uuid()"
        case datetime():
            later_seconds = (value - now).total_seconds()
            return (
                f"clock_timestamp() + interval '{later_seconds} s'" if later_seconds else "clock_timestamp()"
            )
        case bytes():
            return f"E'\\\\x{value.hex()}'"
        case str():
            return "E'" + value.replace("\\", "\\\\").replace("'", "''").replace(":", "\\072") + "'"
        case _:
            return str(value)


def run(
    pgbench: Path, database_url: str, script: Path, *, transactions_per_client: int, options: str
) -> None:
    """Runs the script to its end. `options` are the session's settings, the role among them.

    Raises RuntimeError with pgbench's complaint if a client gave up.
    """
    url = make_url(database_url)
    command = [
        str(pgbench), "--no-vacuum", "--protocol=prepared", f"--client={CLIENT_COUNT}",
        f"--jobs={THREAD_COUNT}", f"--transactions={transactions_per_client}", "--define=turn=-1",
        f"--file={script}",
    ]  # fmt: skip
    environment = {
        "PATH": os.defpath,
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
        "PGOPTIONS": options,
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"pgbench: {done.stderr.strip()[-2000:]}")
