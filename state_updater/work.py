"""What one command may see and change, and the batch that collects the changes of a group.

A handler looks (`get_…`, `find_…`), decides, and only then changes (`create`, `step`, `touch`, `post`, …).
Later commands of the batch see what earlier ones did. A refusal after a change would leave half a command
behind, so it counts as our bug.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from billing.events import event_hash
from billing.ledger import ACCOUNTS, Posting, ledger_account_id
from bus.events import EVENTS
from bus.messages import Command
from kit.canonical import canonical_json
from kit.ids import new_id
from kit.machine import NOWHERE
from state_updater.appended import AccountRow, EventRow, LineRow, OutboxRow, TransferRow
from state_updater.booking_rows import ExtraUse, Occupancy
from state_updater.loaded import Loaded
from state_updater.looking import Looking
from state_updater.notices import notice_of
from state_updater.rows import Aggregate, Invoice, Payment, Refund, Row
from state_updater.writing import INSERTS, OPEN_INVOICE, STEPS, TOUCHES, Kind, Values, Waves, values_of


@dataclass(slots=True)
class Batch:
    """Everything a group of commands writes, in the order in which it must be written."""

    loaded: Loaded
    waves: Waves = field(default_factory=Waves)
    lines: list[LineRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    other_currency_accounts: set[AccountRow] = field(default_factory=set)
    # Rows that still need an invoice number: (studio, year) and the row whose number column waits.
    unnumbered: list[tuple[UUID, int, Values]] = field(default_factory=list)


class Work(Looking):
    """One command of a batch."""

    def __init__(self, batch: Batch, command: Command, command_id: UUID, correlation_id: str) -> None:
        super().__init__(batch.loaded, command)
        self._batch = batch
        self.command_id = command_id
        self.correlation_id = correlation_id
        self.has_changed = False

    @property
    def _group(self) -> UUID:
        return self.command.customer_id or self.studio.id

    def create(self, row: Aggregate, trigger: str, **facts: object) -> None:
        """A new aggregate by its machine's first step. `row.state` and hashes are filled in here."""
        row.state = row.MACHINE.step(NOWHERE, trigger)
        self._loaded.remember(row)
        self._chain(row, trigger, NOWHERE, facts)
        self._write(INSERTS[type(row)], row)

    def insert(self, row: Payment | Occupancy | ExtraUse) -> None:
        """A new row that no machine moves."""
        self._loaded.remember(row)
        self._write(INSERTS[type(row)], row)

    def step(
        self,
        row: Aggregate,
        trigger: str,
        *,
        guard: object = None,
        facts: Mapping[str, object] | None = None,
        **changes: Any,
    ) -> None:
        """One step of a machine. `guard` is what its conditions look at, after the change.

        `changes` are columns of the row; with `facts` they become the event's facts.
        Raises TransitionRefused, GuardRefused.
        """
        from_state = row.state
        row.state = row.MACHINE.step(from_state, trigger, guard)
        for name, value in changes.items():
            setattr(row, name, value)
        row.version += 1
        row.updated_at = self.now
        self._chain(row, trigger, from_state, {**changes, **(facts or {})})
        self._write(STEPS[type(row)], row)

    def open_invoice(self, invoice: Invoice) -> None:
        """draft → open: the books owe it, and it gets its number at the end of the batch, without gaps."""
        invoice.state = invoice.MACHINE.step(invoice.state, "open")
        invoice.version += 1
        invoice.updated_at = self.now
        self._chain(invoice, "open", "draft", {"total_minor": invoice.total_minor})
        values = [*values_of(invoice, OPEN_INVOICE), None, self.now]
        year = self.now.astimezone(ZoneInfo(self.studio.timezone)).year
        self._batch.unnumbered.append((self.studio.id, year, values))
        self._batch.waves.add(OPEN_INVOICE, invoice.id, [self._group], values)
        self.post(Posting.INVOICE_OPENED, invoice.id, invoice.total_minor, invoice.currency)

    def touch(self, row: Row, **changes: Any) -> None:
        """Columns that change beside the machine: counters of refunds, declined tries on an open page."""
        for name, value in changes.items():
            setattr(row, name, value)
        self._write(TOUCHES[type(row)], row)

    def add_line(
        self,
        invoice_id: UUID,
        position: int,
        price_id: UUID | None,
        description: str,
        quantity: int,
        unit_amount_minor: int,
    ) -> None:
        self._batch.lines.append(
            LineRow(
                id=new_id(),
                studio_id=self.studio.id,
                invoice_id=invoice_id,
                position=position,
                price_id=price_id,
                description=description,
                quantity=quantity,
                unit_amount_minor=unit_amount_minor,
                amount_minor=quantity * unit_amount_minor,
            )
        )

    def post(self, posting: Posting, posting_id: UUID, amount_minor: int, currency: str) -> None:
        """One transfer between the two accounts of `posting`. Nothing moves for a sum of zero."""
        if amount_minor == 0:
            return
        accounts = [(ledger_account_id(self.studio.id, kind, currency), kind) for kind in ACCOUNTS[posting]]
        if currency != self.studio.currency:
            for identifier, kind in accounts:
                account = AccountRow(identifier, self.studio.id, kind.value, currency)
                self._batch.other_currency_accounts.add(account)
        (debit, _), (credit, _) = accounts
        self._batch.transfers.append(
            TransferRow(
                id=new_id(),
                studio_id=self.studio.id,
                debit_account_id=debit,
                credit_account_id=credit,
                amount_minor=amount_minor,
                currency=currency,
                posting_id=posting_id,
                causation_id=self.command_id,
                posted_at=self.now,
            )
        )

    def want_task(self, name: str, **ids: UUID) -> None:
        """Work for the worker, by ids only; it leaves through the outbox after commit."""
        body = {key: str(value) for key, value in ids.items()} | {"studio_id": str(self.studio.id)}
        self._leave("task", name, 1, orjson.dumps(body).decode())

    def tell(self, name: str, customer_id: UUID | None, **facts: object) -> None:
        """An event for the bus."""
        event = EVENTS[name](studio_id=self.studio.id, customer_id=customer_id, occurred_at=self.now, **facts)
        self._leave("event", name, event.schema_version, event.model_dump_json())

    def _leave(self, channel: str, kind: str, schema_version: int, body: str) -> None:
        self.has_changed = True
        self._batch.outbox.append(
            OutboxRow(
                id=new_id(),
                studio_id=self.studio.id,
                channel=channel,
                kind=kind,
                schema_version=schema_version,
                body=body,
                correlation_id=self.correlation_id,
                causation_id=self.command_id,
                created_at=self.now,
            )
        )

    def _write(self, kind: Kind, row: Row) -> None:
        self.has_changed = True
        groups = [self._group]
        if isinstance(row, Occupancy):
            groups.append(row.hall_id)
        # A refund may be told without its customer, in one group with its payment.
        payment_id = row.provider_payment_id if isinstance(row, Refund) else None
        self._batch.waves.add(kind, row.id, groups, values_of(row, kind), payment_id)

    def _chain(self, row: Aggregate, trigger: str, from_state: str, facts: Mapping[str, object]) -> None:
        self.has_changed = True
        told = orjson.loads(canonical_json(facts)) if facts else {}
        hashed: dict[str, Any] = {
            "aggregate_id": row.id,
            "command_id": self.command_id,
            "correlation_id": self.correlation_id,
            "facts": told,
            "from_state": from_state,
            "machine": row.MACHINE.name,
            "occurred_at": self.now,
            "studio_id": self.studio.id,
            "to_state": row.state,
            "trigger": trigger,
            "version": row.version,
        }
        row.head_hash = event_hash(row.head_hash, hashed)
        stored = {**hashed, "facts": orjson.dumps(told).decode(), "hash": row.head_hash}
        self._batch.events.append(EventRow(**stored))
        notice = notice_of(row, trigger)
        if notice is not None:
            self.tell(notice[0], row.customer_id, **notice[1])
