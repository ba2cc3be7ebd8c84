"""The rows that are only ever added: lines of invoices, events, transfers between accounts, what leaves.

Filled in by `work`, written by `apply`, shown by `preview`. Their fields are the columns, in order.
"""

from typing import NamedTuple

from state_updater.columns import BigInt, Bytes, Instant, Integer, Json, SmallInt, Text, Uuid, columns_of
from state_updater.writing import insert_statement


class LineRow(NamedTuple):
    """One line of an invoice."""

    id: Uuid
    studio_id: Uuid
    invoice_id: Uuid
    position: SmallInt
    price_id: Uuid | None
    description: Text
    quantity: Integer
    unit_amount_minor: BigInt
    amount_minor: BigInt


class EventRow(NamedTuple):
    """One step of an aggregate, chained by hash to the one before."""

    aggregate_id: Uuid
    version: Integer
    machine: Text
    studio_id: Uuid
    trigger: Text
    from_state: Text
    to_state: Text
    facts: Json
    command_id: Uuid
    correlation_id: Text
    occurred_at: Instant
    hash: Bytes


class AccountRow(NamedTuple):
    """An account in a currency that the studio does not sell in."""

    id: Uuid
    studio_id: Uuid
    kind: Text
    currency: Text


class TransferRow(NamedTuple):
    """A sum from one account of the books to another."""

    id: Uuid
    studio_id: Uuid
    debit_account_id: Uuid
    credit_account_id: Uuid
    amount_minor: BigInt
    currency: Text
    posting_id: Uuid
    causation_id: Uuid
    posted_at: Instant


class OutboxRow(NamedTuple):
    """An event for the bus, or a task for the worker."""

    id: Uuid
    studio_id: Uuid
    channel: Text
    kind: Text
    schema_version: SmallInt
    body: Json
    correlation_id: Text
    causation_id: Uuid
    created_at: Instant


INSERT_LINES = insert_statement("invoice_line", columns_of(LineRow))
INSERT_EVENTS = insert_statement("state_event", columns_of(EventRow))
INSERT_ACCOUNTS = insert_statement("ledger_account", columns_of(AccountRow), "ON CONFLICT DO NOTHING")
INSERT_TRANSFERS = insert_statement("ledger_transfer", columns_of(TransferRow))
INSERT_OUTBOX = insert_statement("outbox", columns_of(OutboxRow))
