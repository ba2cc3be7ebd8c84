"""What a command would do if it were applied now: the same handler over the same rows, read without locks.

Called by the admin before a person confirms. It is a hint: the updater decides again under locks, and what it
finds then counts. Nothing is written here, nothing locked, and nothing leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from billing.ledger import Account, ledger_account_id
from bus.messages import Command
from kit.errors import InvalidMessage, NotFound, Refused
from kit.ids import new_id
from state_updater.appended import EventRow, TransferRow
from state_updater.handlers import handle
from state_updater.loading import load
from state_updater.work import Batch, Work


@dataclass(frozen=True, slots=True)
class Refusal:
    """The updater's no: the code and facts that the command's problem would hold."""

    code: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step of a machine. `from_state` is empty for what would be created."""

    machine: str
    aggregate_id: UUID
    trigger: str
    from_state: str
    to_state: str


class PreviewPosting(NamedTuple):
    """One transfer between two accounts of the studio."""

    debit: Account
    credit: Account
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen, each in its order. With a `refusal` nothing else would."""

    refusal: Refusal | None = None
    steps: tuple[PreviewStep, ...] = ()
    postings: tuple[PreviewPosting, ...] = ()
    events: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    result: Mapping[str, object] | None = None


def preview(connection: Connection, command: Command) -> Preview:
    """Tries `command` on what the caller's transaction sees, which is one studio.

    A studio that is not seen is refused like anything else that is not there. Raises psycopg's errors.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    batch = Batch(load(driver, [command]))
    try:
        if command.studio_id not in batch.loaded.studios:
            raise NotFound(what="studio", id=str(command.studio_id))
        result = handle(command, Work(batch, command, new_id(), "preview"))
    except (Refused, InvalidMessage) as no:
        return Preview(refusal=Refusal(no.code, no.facts))
    return Preview(
        steps=tuple(_step(event) for event in batch.events),
        postings=tuple(_posting(transfer) for transfer in batch.transfers),
        events=tuple(row.kind for row in batch.outbox if row.channel == "event"),
        tasks=tuple(row.kind for row in batch.outbox if row.channel == "task"),
        result=result,
    )


def _step(event: EventRow) -> PreviewStep:
    return PreviewStep(event.machine, event.aggregate_id, event.trigger, event.from_state, event.to_state)


def _posting(transfer: TransferRow) -> PreviewPosting:
    currency = transfer.currency
    kinds = {ledger_account_id(transfer.studio_id, kind, currency): kind for kind in Account}
    debit, credit = kinds[transfer.debit_account_id], kinds[transfer.credit_account_id]
    return PreviewPosting(debit, credit, transfer.amount_minor, currency)
