"""Locking and loading everything that a group of commands may touch, in one round trip.

Called by the apply path; `load`, which takes no locks, by previews.

What a command locks is a pure function of its message: the ids it carries, and what hangs on those. The
order is the same for everyone: journal rows, then an advisory lock per customer and payment, then rows by
table and id. FOR NO KEY UPDATE, because plain FOR UPDATE would block the foreign-key checks of rows that the
APIs insert.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from billing.invoices import UNPAID
from billing.payments import LIVE, received_payment_id
from billing.refunds import WITHDRAWABLE
from bus.messages import (
    CancelSubscription,
    Command,
    CreateSubscription,
    IssueInvoice,
    RecordRefundOutcome,
    RenewSubscription,
)
from state_updater.rows import (
    Attempt,
    Invoice,
    Payment,
    Price,
    ProviderAccount,
    Refund,
    Row,
    Studio,
    Subscription,
)

Connection = psycopg.Connection[Any]


class JournalRow(NamedTuple):
    """What the consumer needs to know of an accepted command."""

    command_id: UUID
    studio_id: UUID
    state: str
    kind: str
    schema_version: int
    body_hash: bytes
    correlation_id: str
    accepted_at: datetime


@dataclass(slots=True)
class Loaded:
    """The rows of a group, by id. `now` is the database's clock after every lock was taken."""

    now: datetime
    studios: dict[UUID, Studio]
    subscriptions: dict[UUID, Subscription] = field(default_factory=dict)
    invoices: dict[UUID, Invoice] = field(default_factory=dict)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    prices: dict[UUID, Price] = field(default_factory=dict)
    provider_accounts: dict[UUID, ProviderAccount] = field(default_factory=dict)
    customers: dict[UUID, UUID] = field(default_factory=dict)
    attempts_of_invoice: dict[UUID, list[Attempt]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for attempt in self.attempts.values():
            self.attempts_of_invoice.setdefault(attempt.invoice_id, []).append(attempt)


LOCK_JOURNAL = """
    SELECT command_id, studio_id, state, kind, schema_version, body_hash, correlation_id, accepted_at
    FROM command_journal WHERE command_id = ANY(%b::uuid[]) ORDER BY command_id FOR NO KEY UPDATE
"""
LOCK_KEYS = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest(%b::bigint[]) AS key"
CLOCK = "SELECT clock_timestamp()"
STUDIOS = """
    SELECT s.id, s.timezone, s.currency::text, s.refund_policy, s.invoice_lifetime_seconds,
        coalesce(o.offset_seconds, 0)
    FROM studio s LEFT JOIN clock_offset o ON o.studio_id = s.id WHERE s.id = ANY(%b::uuid[])
"""
PRICES = """
    SELECT r.id, r.studio_id, p.name,
        p.is_active
            AND r.effective_from <= clock_timestamp() + make_interval(secs => coalesce(o.offset_seconds, 0)),
        r.amount_minor, r.currency::text, r.period_unit, r.period_count, r.plan_id, r.version,
        r.effective_from
    FROM price r JOIN plan p ON p.id = r.plan_id LEFT JOIN clock_offset o ON o.studio_id = r.studio_id
    WHERE r.id = ANY(%b::uuid[])
"""
# A paid invoice starts a period of its subscription's price, which the message does not name.
PRICES_OF_SUBSCRIPTIONS = PRICES.replace(
    "r.id = ANY(%b::uuid[])", "r.id IN (SELECT price_id FROM subscription WHERE id = ANY(%b::uuid[]))"
)
# A renewal costs what the version in force says: of the price that the subscription is on, or that another
# command of the group puts it on.
VERSIONS_FOR_RENEWAL = PRICES.replace(
    "r.id = ANY(%b::uuid[])",
    """(r.plan_id, r.period_unit, r.period_count) IN (
        SELECT plan_id, period_unit, period_count FROM price
        WHERE id IN (SELECT price_id FROM subscription WHERE id = ANY(%b::uuid[]))
            OR id = ANY(%b::uuid[]))""",
)
PROVIDER_ACCOUNTS = "SELECT id, studio_id, is_active FROM provider_account WHERE id = ANY(%b::uuid[])"
CUSTOMERS = "SELECT id, studio_id FROM customer WHERE id = ANY(%b::uuid[])"


def _columns(row: type[Row]) -> str:
    as_text = {"text", "jsonb"}
    return ", ".join(f"{name}::text" if kind in as_text else name for name, kind in row.COLUMNS.items())


def _lock(row: type[Row], condition: str) -> str:
    return f"SELECT {_columns(row)} FROM {row.TABLE} WHERE {condition} ORDER BY id{LOCKING}"  # noqa: S608


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


LOCKING = " FOR NO KEY UPDATE"
BY_ID = "id = ANY(%b::uuid[])"
UNPAID_OF_SUBSCRIPTIONS = f"subscription_id = ANY(%b::uuid[]) AND state IN ({_listed(UNPAID)})"
LOCKS: dict[str, str] = {
    "subscription_id": _lock(Subscription, BY_ID),
    "invoice_id": _lock(Invoice, BY_ID),
    # A refund may be told by somebody who did not know the payment yet, nor its invoice.
    "refunded_payment_id": _lock(
        Invoice, "id IN (SELECT invoice_id FROM provider_payment WHERE id = ANY(%b::uuid[]))"
    ),
    # Its sender may not know of the invoice that has been drawn since.
    "canceled_subscription_id": _lock(Invoice, UNPAID_OF_SUBSCRIPTIONS),
    "attempt_id": _lock(Attempt, BY_ID),
    "payment_id": _lock(Payment, BY_ID),
    "refund_id": _lock(Refund, BY_ID),
}
LOCK_LIVE_ATTEMPTS = _lock(Attempt, f"invoice_id = ANY(%b::uuid[]) AND state IN ({_listed(LIVE)})")
LOCK_ATTEMPTS_OF_CANCELED = LOCK_LIVE_ATTEMPTS.replace(
    "= ANY(%b::uuid[])",
    f"IN (SELECT id FROM invoice WHERE {UNPAID_OF_SUBSCRIPTIONS})",  # noqa: S608  # our own words
)
LOCK_REFUNDS_OF_PAYMENTS = _lock(
    Refund, f"provider_payment_id = ANY(%b::uuid[]) AND state IN ({_listed(WITHDRAWABLE)})"
)
LOCK_EARLY_REFUNDS = _lock(
    Refund,
    "provider_payment_id IS NULL AND (provider_account_id, payment_transaction_id) IN "
    "(SELECT * FROM unnest(%b::uuid[], %b::text[]))",
)


def advisory_key(identifier: UUID) -> int:
    """The lock of a customer or a payment, signed 64 bits; two of them may share one, which only waits."""
    return int.from_bytes(identifier.bytes[8:], "big", signed=True)


def payment_named_by(command: Command) -> UUID | None:
    """The received payment that a command is about, also when its sender did not know that one yet."""
    if (
        isinstance(command, RecordRefundOutcome)
        and command.payment_id is None
        and command.payment_transaction_id
    ):
        return received_payment_id(command.provider_account_id, command.payment_transaction_id)
    named: UUID | None = getattr(command, "payment_id", None)
    return named


def _sorted_ids(found: Iterable[UUID | None]) -> list[UUID]:
    return sorted({identifier for identifier in found if identifier is not None})


def ids_of(commands: Iterable[Command], field_name: str) -> list[UUID]:
    """The sorted distinct ids that these commands carry under one field name."""
    return _sorted_ids(getattr(command, field_name, None) for command in commands)


def lock_journal(connection: Connection, command_ids: Sequence[UUID]) -> dict[UUID, JournalRow]:
    """The journal rows of these messages, locked until the transaction ends."""
    rows = connection.cursor(binary=True).execute(LOCK_JOURNAL, [sorted(command_ids)], prepare=True)
    return {row[0]: JournalRow(*row) for row in rows}


def _of_kind(commands: Sequence[Command], *kinds: type[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kinds)]


class _Reader:
    """Statements queued in one pipeline, read after one wait."""

    def __init__(self, connection: Connection, *, locking: bool) -> None:
        self._connection = connection
        self._locking = locking

    def ask(self, statement: str, *parameters: list[Any]) -> psycopg.Cursor[Any] | None:
        if parameters and not parameters[0]:
            return None
        if not self._locking:
            statement = statement.removesuffix(LOCKING)
        cursor = self._connection.cursor(binary=True)
        cursor.execute(statement, parameters, prepare=True)
        return cursor

    def lock_keys(self, identifiers: Iterable[UUID]) -> None:
        if self._locking:
            self.ask(LOCK_KEYS, sorted({advisory_key(identifier) for identifier in identifiers}))


def _by_id(kind: Any, *cursors: psycopg.Cursor[Any] | None) -> dict[UUID, Any]:
    return {row[0]: kind(*row) for cursor in cursors if cursor is not None for row in cursor}


def lock_and_load(connection: Connection, commands: Sequence[Command]) -> Loaded:
    """Everything these commands name, locked in the house's order, as it stands now."""
    return _read(connection, commands, locking=True)


def load(connection: Connection, commands: Sequence[Command]) -> Loaded:
    """The same rows without a lock: good for saying what would happen now, for nothing that is written."""
    return _read(connection, commands, locking=False)


def _read(connection: Connection, commands: Sequence[Command], *, locking: bool) -> Loaded:
    ids = {name: ids_of(commands, name) for name in LOCKS}
    ids["payment_id"] = _sorted_ids(payment_named_by(command) for command in commands)
    ids["refunded_payment_id"] = _sorted_ids(
        payment_named_by(command) for command in commands if isinstance(command, RecordRefundOutcome)
    )
    ids["canceled_subscription_id"] = ids_of(_of_kind(commands, CancelSubscription), "subscription_id")
    early = sorted(
        (command.provider_account_id, command.transaction_id)  # type: ignore[attr-defined]
        for command in commands
        if getattr(command, "transaction_id", None)
    )
    billing = _of_kind(commands, CreateSubscription, IssueInvoice)
    reader = _Reader(connection, locking=locking)
    with connection.pipeline():
        # A payment has a lock of its own, because its row is not there when it is first told of: by its
        # callback and a look-up at once, or by its refund.
        reader.lock_keys([*ids_of(commands, "customer_id"), *ids["payment_id"]])
        rows = {name: reader.ask(statement, ids[name]) for name, statement in LOCKS.items()}
        live_attempts = reader.ask(LOCK_LIVE_ATTEMPTS, ids["invoice_id"])
        canceled_attempts = reader.ask(LOCK_ATTEMPTS_OF_CANCELED, ids["canceled_subscription_id"])
        open_refunds = reader.ask(LOCK_REFUNDS_OF_PAYMENTS, ids["payment_id"])
        early_refunds = reader.ask(
            LOCK_EARLY_REFUNDS, [account for account, _ in early], [transaction for _, transaction in early]
        )
        studios = reader.ask(STUDIOS, ids_of(commands, "studio_id"))
        prices = reader.ask(PRICES, ids_of(commands, "price_id"))
        own_prices = reader.ask(PRICES_OF_SUBSCRIPTIONS, ids["subscription_id"])
        versions = reader.ask(
            VERSIONS_FOR_RENEWAL,
            ids_of(_of_kind(commands, RenewSubscription), "subscription_id"),
            ids_of(commands, "price_id"),
        )
        accounts = reader.ask(PROVIDER_ACCOUNTS, ids_of(commands, "provider_account_id"))
        customers = reader.ask(CUSTOMERS, ids_of(billing, "customer_id"))
        clock = connection.cursor(binary=True).execute(CLOCK, prepare=True)
    clock_row = clock.fetchone()
    assert clock_row is not None
    return Loaded(
        now=clock_row[0],
        studios=_by_id(Studio, studios),
        subscriptions=_by_id(Subscription, rows["subscription_id"]),
        invoices=_by_id(
            Invoice, rows["invoice_id"], rows["refunded_payment_id"], rows["canceled_subscription_id"]
        ),
        attempts=_by_id(Attempt, rows["attempt_id"], live_attempts, canceled_attempts),
        payments=_by_id(Payment, rows["payment_id"]),
        refunds=_by_id(Refund, rows["refund_id"], open_refunds, early_refunds),
        prices=_by_id(Price, prices, own_prices, versions),
        provider_accounts=_by_id(ProviderAccount, accounts),
        customers={row[0]: row[1] for row in customers or ()},
    )
