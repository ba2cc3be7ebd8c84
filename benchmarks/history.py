"""A past for a studio: invoices by the hundred thousand, with all that belongs to them, in a minute or two.

Called by the benchmarks that measure a grown database, and by tests that want one. The rows are those of
history.sql: dates over two years, the chains of states, books that add up. What it does not make: hashes that
verify, bodies of commands, and the outbox, which a studio with a past has emptied.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import psycopg

from billing.ledger import Account, ledger_account_id

SPAN = timedelta(days=730)
SEED = 20_260_101
_STATEMENTS = Path(__file__).with_suffix(".sql").read_text().split(";\n\n")
_TARGET = re.compile(r"^INSERT INTO (\w+)", re.MULTILINE)
# Customers are bands: an adjective, a noun and a number.
_FIRST_NAMES = [
    "Тихий",
    "Громкий",
    "Медленный",
    "Ночной",
    "Северный",
    "Дальний",
    "Медный",
    "Первый",
    "Полный",
]
_LAST_NAMES = ["Бубен", "Рояль", "Фагот", "Контрабас", "Аккорд", "Гобой", "Ритм", "Орган", "Такт", "Хор"]
_SETTINGS = """
    SET LOCAL session_replication_role = replica;
    SET LOCAL synchronous_commit = off;
    SET LOCAL work_mem = '256MB';
    SET LOCAL jit = off;
"""
_WANTED = """
    CREATE TEMP TABLE wanted ON COMMIT DROP AS
    SELECT s.id AS studio_id, s.currency, a.id AS provider_account_id, %(invoices)s::bigint AS invoices,
        %(starts_at)s::timestamptz AS starts_at, %(ends_at)s::timestamptz AS ends_at, %(salt)s::text AS salt,
        %(ledger_accounts)s::jsonb AS ledger_accounts, %(first_names)s::text[] AS first_names,
        %(last_names)s::text[] AS last_names
    FROM studio s JOIN provider_account a ON a.studio_id = s.id
    WHERE s.id = %(studio_id)s ORDER BY a.id LIMIT 1
"""
_OFFERED = """
    CREATE TEMP TABLE offered ON COMMIT DROP AS
    SELECT row_number() OVER (ORDER BY p.id) - 1 AS position, p.id AS price_id, p.amount_minor,
        plan.name AS plan_name
    FROM price p JOIN plan ON plan.id = p.plan_id WHERE p.studio_id = %(studio_id)s
"""


@dataclass(frozen=True, slots=True)
class History:
    """How many rows the studio was given, by table."""

    studio_id: UUID
    counts: Mapping[str, int]


def fill_history(
    owner_url: str, studio_id: UUID, invoices: int, *, ends_at: datetime, seed: int = SEED
) -> History:
    """Gives the studio `invoices` invoices of the two years before `ends_at`, and all that belongs to them.

    `owner_url` is a superuser's: triggers and foreign keys are off meanwhile. The same arguments give the
    same rows. Raises ValueError for a studio without a price or a provider account, and UniqueViolation when
    it was given this past before; then nothing has changed.
    """
    (history,) = fill_histories(owner_url, [studio_id], invoices, ends_at=ends_at, seed=seed)
    return history


def fill_histories(
    owner_url: str, studio_ids: Sequence[UUID], invoices: int, *, ends_at: datetime, seed: int = SEED
) -> list[History]:
    """`fill_history` for several studios, `invoices` each; the statistics are gathered once."""
    histories = [_fill(owner_url, studio_id, invoices, ends_at, seed) for studio_id in studio_ids]
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return histories


def _fill(owner_url: str, studio_id: UUID, invoices: int, ends_at: datetime, seed: int) -> History:
    counts: dict[str, int] = {}
    with psycopg.connect(owner_url) as connection:
        _prepare(connection, studio_id, invoices, ends_at, f"{seed}-{studio_id.hex[-8:]}")
        for statement in _STATEMENTS:
            cursor = connection.execute(statement.encode())
            if target := _TARGET.search(statement):
                counts[target[1]] = cursor.rowcount
    return History(studio_id, counts)


def _prepare(
    connection: psycopg.Connection[tuple[object, ...]],
    studio_id: UUID,
    invoices: int,
    ends_at: datetime,
    salt: str,
) -> None:
    """The settings and the two tables that history.sql reads. `salt` makes ids and rolls the studio's own."""
    connection.execute(_SETTINGS)
    roll_seed = int.from_bytes(sha256(salt.encode()).digest()[:4])
    connection.execute(
        "SELECT set_config('history.salt', %s, true), set_config('history.seed', %s, true)",
        [salt, str(roll_seed)],
    )
    studio = {"studio_id": studio_id}
    row = connection.execute("SELECT currency FROM studio WHERE id = %(studio_id)s", studio).fetchone()
    currency = str(row[0]) if row else ""
    accounts = {kind.value: str(ledger_account_id(studio_id, kind, currency)) for kind in Account}
    wanted = {
        **studio,
        "invoices": invoices,
        "starts_at": ends_at - SPAN,
        "ends_at": ends_at,
        "salt": salt,
        "ledger_accounts": json.dumps(accounts),
        "first_names": _FIRST_NAMES,
        "last_names": _LAST_NAMES,
    }
    # A command that makes a table takes no parameters from outside: the client writes them in.
    found = psycopg.ClientCursor(connection).execute(_WANTED, wanted).rowcount
    offered = psycopg.ClientCursor(connection).execute(_OFFERED, studio).rowcount
    if not found or not offered:
        raise ValueError(f"studio {studio_id} lacks a provider account or a price")
