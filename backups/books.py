"""What a database holds, in numbers: what a restored copy must come to as well.

Called by taking, in the snapshot of the dump, and by restoring. Ids of studios, counts and sums; nothing here
tells of a person.
"""

from collections.abc import Iterator
from typing import LiteralString

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict

from backups.failures import BackupFailed

Connection = psycopg.Connection[tuple[object, ...]]

TABLES_MAX = 500
TOTALS_MAX = 100_000
DIFFERENCES_SHOWN = 5

_TABLES: LiteralString = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname LIMIT %s
"""
# One row per sum: what, of which studio, in which currency, of how many rows, how much.
_TOTALS: LiteralString = """
    SELECT 'paid invoices', studio_id::text, currency::text, count(*), sum(paid_minor)::text
    FROM invoice WHERE paid_minor > 0 GROUP BY studio_id, currency
    UNION ALL
    SELECT 'provider payments', studio_id::text, currency::text, count(*), sum(amount_minor)::text
    FROM provider_payment GROUP BY studio_id, currency
    UNION ALL
    SELECT 'given back', studio_id::text, currency::text, count(*), sum(refunded_minor)::text
    FROM provider_payment WHERE refunded_minor > 0 GROUP BY studio_id, currency
    UNION ALL
    SELECT 'ledger, ' || a.kind, a.studio_id::text, a.currency::text, count(*), sum(moved.amount_minor)::text
    FROM ledger_account a
    JOIN (
        SELECT debit_account_id AS account_id, amount_minor FROM ledger_transfer
        UNION ALL SELECT credit_account_id, -amount_minor FROM ledger_transfer
    ) moved ON moved.account_id = a.id
    GROUP BY a.kind, a.studio_id, a.currency
    ORDER BY 1, 2, 3 LIMIT %s
"""
_REVISION: LiteralString = "SELECT version_num FROM alembic_version"
_HAS_REVISION: LiteralString = "SELECT to_regclass('public.alembic_version') IS NOT NULL"


class Total(BaseModel):
    """One sum, in minor units of `currency`; of the ledger: debits less credits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    studio_id: str
    currency: str
    count: int
    amount_minor: int


class Books(BaseModel):
    """Counts of every table, and sums per studio and currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_revision: str
    row_counts: dict[str, int]
    totals: tuple[Total, ...]


def read_books(connection: Connection) -> Books:
    """Counts and sums as this transaction sees them, under a login that no row-level security holds.

    Reads whole tables. Raises BackupFailed if the database is not migrated.
    """
    if not _one(connection, _HAS_REVISION):
        raise BackupFailed("The database has no tables of Billbus: it was never bootstrapped.")
    tables = [str(name) for (name,) in connection.execute(_TABLES, (TABLES_MAX,))]
    return Books(
        schema_revision=str(_one(connection, _REVISION)),
        row_counts={table: _count(connection, table) for table in tables},
        totals=tuple(
            Total(of=of, studio_id=studio_id, currency=currency, count=count, amount_minor=amount)
            for of, studio_id, currency, count, amount in connection.execute(_TOTALS, (TOTALS_MAX,))
        ),
    )


def differences(wanted: Books, found: Books) -> list[str]:
    """What is not the same, a sentence each; none if nothing differs."""
    return list(_differences(wanted, found))


def _differences(wanted: Books, found: Books) -> Iterator[str]:
    if wanted.schema_revision != found.schema_revision:
        yield f"schema: {wanted.schema_revision} in the manifest, {found.schema_revision} restored"
    for table in sorted(wanted.row_counts.keys() | found.row_counts.keys()):
        counts = wanted.row_counts.get(table, 0), found.row_counts.get(table, 0)
        if counts[0] != counts[1]:
            yield f"rows of {table}: {counts[0]} in the manifest, {counts[1]} restored"
    sums = [{_name(one): one for one in books.totals} for books in (wanted, found)]
    for name in sorted(sums[0].keys() | sums[1].keys()):
        pair = [side.get(name) for side in sums]
        if pair[0] != pair[1]:
            yield f"{name}: {_sum(pair[0])} in the manifest, {_sum(pair[1])} restored"


def _name(total: Total) -> str:
    return f"{total.of} of studio {total.studio_id} in {total.currency}"


def _sum(total: Total | None) -> str:
    return "nothing" if total is None else f"{total.amount_minor} minor units in {total.count} rows"


def _count(connection: Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(table))
    return int(str(_one(connection, query)))


def _one(connection: Connection, query: LiteralString | sql.Composed) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
