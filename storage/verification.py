"""Proving the books: every invariant view, every chain of events, and the provider's ledger if it is given.

Called by `billbus verify`, the crash tests and the benchmarks, as `billbus_verify` in one snapshot. It reads
only. What it finds is returned as values. Unapplied sums, refunds that were promised and declined, and parked
commands are named and are no violations: they are accounted for and wait for a person.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, TextClause, text

from storage.event_chains import check_chains
from storage.findings import FINDINGS_LIMIT, Check, Finding
from storage.provider_ledger import ProviderEntry, compare_with_provider

__all__ = [
    "ROLE",
    "Check",
    "Finding",
    "InvariantsMissing",
    "Owed",
    "ProviderEntry",
    "Report",
    "Unapplied",
    "verify",
]

ROLE = "billbus_verify"
# The views read whole tables: an operator's patience, not a request's.
STATEMENT_TIMEOUT_SECONDS = 120
UNAPPLIED_LIMIT = 1_000
OWED_LIMIT = 1_000


class InvariantsMissing(Exception):
    """The database has no invariants to check: it is not migrated."""


@dataclass(frozen=True, slots=True)
class Unapplied:
    """Money that a provider took and no invoice takes: `amount_minor` less `refunded_minor` waits."""

    studio_id: UUID
    payment_id: UUID
    transaction_id: str
    amount_minor: int
    refunded_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class Owed:
    """Money that a booking's terms promised, the provider declined to give back, and nobody has made good:
    `amount_minor` of a payment waits. Without a booking it came for one that was lost."""

    studio_id: UUID
    payment_id: UUID
    transaction_id: str
    booking_id: UUID | None
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one verification saw. `unapplied` and `owed` hold the first UNAPPLIED_LIMIT and OWED_LIMIT, oldest
    first."""

    checks: tuple[Check, ...]
    event_count: int
    parked_count: int
    unapplied: tuple[Unapplied, ...]
    owed: tuple[Owed, ...]

    @property
    def violations(self) -> tuple[Check, ...]:
        """The checks that found something."""
        return tuple(check for check in self.checks if check.count)

    @property
    def is_clean(self) -> bool:
        return not self.violations


def verify(
    engine: Engine, *, settled: bool = False, provider_entries: Iterable[ProviderEntry] | None = None
) -> Report:
    """Checks everything in one REPEATABLE READ snapshot. `engine` runs as ROLE.

    `settled` adds what is only true at rest. `provider_entries` is the whole ledger of every provider that a
    studio has an account with; only at rest can it be the same as the books. Raises InvariantsMissing.
    """
    with engine.connect() as fresh:
        connection = fresh.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))
            checks = [_check_view(connection, *view) for view in _views(connection, settled)]
            checks.append(check_chains(connection))
            if provider_entries is not None:
                checks.append(compare_with_provider(connection, provider_entries))
            return Report(
                checks=tuple(checks),
                event_count=_count(connection, _EVENTS),
                parked_count=_count(connection, _PARKED),
                unapplied=tuple(_list_unapplied(connection)),
                owed=tuple(_list_owed(connection)),
            )


_VIEWS = text("""
    SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '')
    FROM pg_class c
    WHERE c.relnamespace = to_regnamespace('invariant') AND c.relkind = 'v'
        AND (c.relname ^@ 'always_' OR :settled AND c.relname ^@ 'settled_')
    ORDER BY c.relname
""")
_EVENTS = text("SELECT count(*) FROM state_event")
_PARKED = text("SELECT count(*) FROM command_journal WHERE state = 'parked'")
_UNAPPLIED = text("""
    SELECT studio_id, id, transaction_id, amount_minor, refunded_minor, currency::text, unapplied_reason
    FROM provider_payment WHERE invoice_id IS NULL AND refunded_minor < amount_minor
    ORDER BY received_at, id LIMIT :limit
""")
_HAS_OWED = text("SELECT to_regclass('public.refund_owed')")
_OWED = text("""
    SELECT o.studio_id, o.payment_id, p.transaction_id, i.booking_id, o.amount_minor, o.currency::text
    FROM refund_owed o JOIN provider_payment p ON p.id = o.payment_id
    LEFT JOIN invoice i ON i.id = p.invoice_id
    ORDER BY o.declined_at, o.payment_id LIMIT :limit
""")


def _views(connection: Connection, settled: bool) -> list[tuple[str, str]]:
    rows = connection.execute(_VIEWS, {"settled": settled})
    views = [(name, statement) for name, statement in rows]
    if not views:
        raise InvariantsMissing("The database has no invariants: run `billbus db bootstrap`.")
    return views


def _check_view(connection: Connection, name: str, statement: str) -> Check:
    # The name comes from the catalog. The count is over all rows, of which few are read.
    query = f"SELECT studio_id, subject, fault, count(*) OVER () FROM invariant.{name} LIMIT :limit"  # noqa: S608
    rows = connection.execute(text(query), {"limit": FINDINGS_LIMIT}).all()
    findings = tuple(Finding(studio_id, subject, fault) for studio_id, subject, fault, _ in rows)
    return Check(name, statement, rows[0][3] if rows else 0, findings)


def _list_unapplied(connection: Connection) -> Iterator[Unapplied]:
    for row in connection.execute(_UNAPPLIED, {"limit": UNAPPLIED_LIMIT}):
        yield Unapplied(*row)


def _list_owed(connection: Connection) -> Iterator[Owed]:
    # An older revision of the schema has neither the view nor promises that it could tell of.
    if connection.scalar(_HAS_OWED) is None:
        return
    for row in connection.execute(_OWED, {"limit": OWED_LIMIT}):
        yield Owed(*row)


def _count(connection: Connection, query: TextClause) -> int:
    count: int = connection.execute(query).scalar_one()
    return count
