"""What one command may see and change, and the batch that collects the changes of a group.

A handler looks (`get_…`, `find_…`), decides, and only then changes (`create`, `step`, `touch`, `post`, …).
Later commands of the batch see what earlier ones did. A refusal after a change would leave half a command
behind, so it counts as our bug.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from billing.events import event_hash
from billing.invoices import UNPAID
from billing.ledger import ACCOUNTS, Posting, ledger_account_id
from billing.payments import LIVE
from billing.refunds import WITHDRAWABLE
from bus.events import EVENTS
from bus.messages import Command
from kit.canonical import canonical_json
from kit.errors import InvalidMessage, InvariantViolated, NotFound
from kit.ids import new_id
from kit.machine import NOWHERE
from state_updater.loading import Loaded
from state_updater.notices import notice_of
from state_updater.rows import (
    Aggregate,
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
from state_updater.writing import (
    INSERTS,
    OPEN_INVOICE,
    STEPS,
    TOUCHES,
    Kind,
    Values,
    Waves,
    values_of,
)

SomeRow = TypeVar("SomeRow", Subscription, Invoice, Attempt, Payment, Refund, Price, ProviderAccount)


@dataclass(slots=True)
class Batch:
    """Everything a group of commands writes, in the order in which it must be written."""

    loaded: Loaded
    waves: Waves = field(default_factory=Waves)
    lines: list[Values] = field(default_factory=list)
    events: list[Values] = field(default_factory=list)
    transfers: list[Values] = field(default_factory=list)
    outbox: list[Values] = field(default_factory=list)
    other_currency_accounts: set[tuple[UUID, UUID, str, str]] = field(default_factory=set)
    # Rows that still need an invoice number: (studio, year) and the row whose number column waits.
    unnumbered: list[tuple[UUID, int, Values]] = field(default_factory=list)


class Work:
    """One command of a batch."""

    def __init__(self, batch: Batch, command: Command, command_id: UUID, correlation_id: str) -> None:
        self._batch = batch
        self._loaded = batch.loaded
        self.command = command
        self.command_id = command_id
        self.correlation_id = correlation_id
        self.studio: Studio = self._loaded.studios[command.studio_id]
        self.now: datetime = self._loaded.now + timedelta(seconds=self.studio.offset_seconds)
        self.has_changed = False

    # -------------------------------------------------------------- looking

    def _own(self, rows: Mapping[UUID, SomeRow], identifier: UUID | None) -> SomeRow | None:
        row = rows.get(identifier) if identifier else None
        if row is None or row.studio_id != self.studio.id:
            return None
        owner = getattr(row, "customer_id", None)
        return row if owner is None or owner == self.command.customer_id else None

    def _missing(self, what: str, identifier: UUID) -> NoReturn:
        raise NotFound(what=what, id=str(identifier))

    def find_subscription(self, identifier: UUID | None) -> Subscription | None:
        return self._own(self._loaded.subscriptions, identifier)

    def find_invoice(self, identifier: UUID | None) -> Invoice | None:
        return self._own(self._loaded.invoices, identifier)

    def find_attempt(self, identifier: UUID | None) -> Attempt | None:
        return self._own(self._loaded.attempts, identifier)

    def find_payment(self, identifier: UUID | None) -> Payment | None:
        return self._own(self._loaded.payments, identifier)

    def find_refund(self, identifier: UUID | None) -> Refund | None:
        return self._own(self._loaded.refunds, identifier)

    def get_subscription(self, identifier: UUID) -> Subscription:
        return self.find_subscription(identifier) or self._missing("subscription", identifier)

    def get_invoice(self, identifier: UUID) -> Invoice:
        return self.find_invoice(identifier) or self._missing("invoice", identifier)

    def get_attempt(self, identifier: UUID) -> Attempt:
        return self.find_attempt(identifier) or self._missing("payment_attempt", identifier)

    def get_payment(self, identifier: UUID) -> Payment:
        return self.find_payment(identifier) or self._missing("payment", identifier)

    def get_refund(self, identifier: UUID) -> Refund:
        return self.find_refund(identifier) or self._missing("refund", identifier)

    def get_price(self, identifier: UUID) -> Price:
        return self._own(self._loaded.prices, identifier) or self._missing("price", identifier)

    def get_provider_account(self, identifier: UUID) -> ProviderAccount:
        found = self._own(self._loaded.provider_accounts, identifier)
        return found or self._missing("provider_account", identifier)

    def invoice_of(self, payment: Payment) -> Invoice | None:
        """What a payment has paid, whoever the command thinks the customer is; None if it pays nothing."""
        if payment.invoice_id is None:
            return None
        return self._loaded.invoices.get(payment.invoice_id)

    def subscription_of(self, invoice: Invoice) -> Subscription | None:
        """What an invoice is for, None outside subscriptions. Raises InvalidMessage if it was not named.

        Closing or paying the invoice without it would leave the subscription behind.
        """
        if invoice.subscription_id is None:
            return None
        found = self.find_subscription(invoice.subscription_id)
        if found is None:
            raise InvalidMessage("ids_disagree", invoice_id=str(invoice.id))
        return found

    def unpaid_invoices(self, subscription: Subscription) -> list[Invoice]:
        """What a subscription owes: its first invoice, or the one that renews it. At most one."""
        invoices = self._loaded.invoices.values()
        return [each for each in invoices if each.subscription_id == subscription.id and each.state in UNPAID]

    def versions_of(self, price: Price) -> list[Price]:
        """Every version of what a price's plan costs for its billing period, for a renewal."""
        period = (price.plan_id, price.period_unit, price.period_count)
        prices = self._loaded.prices.values()
        return [each for each in prices if (each.plan_id, each.period_unit, each.period_count) == period]

    def require_customer(self) -> UUID:
        """The command's customer, who must be one of this studio's."""
        customer_id = self.command.customer_id
        if customer_id is None or self._loaded.customers.get(customer_id) != self.studio.id:
            raise NotFound(what="customer", id=str(customer_id))
        return customer_id

    def live_attempts(self, invoice_id: UUID) -> list[Attempt]:
        """The attempts of an invoice that may still bring money: at most one, whatever the command."""
        return [each for each in self._loaded.attempts_of_invoice.get(invoice_id, ()) if each.state in LIVE]

    def withdrawable_refunds(self, payment_id: UUID) -> list[Refund]:
        """Refunds of a payment that have not gone out, oldest first."""
        refunds = self._loaded.refunds.values()
        open_ones = [
            each for each in refunds if each.provider_payment_id == payment_id and each.state in WITHDRAWABLE
        ]
        return sorted(open_ones, key=lambda each: each.id)

    def early_refunds(self, provider_account_id: UUID, transaction_id: str) -> list[Refund]:
        """Refunds of a payment that the provider told us of before the payment itself."""
        return [
            each
            for each in self._loaded.refunds.values()
            if each.provider_payment_id is None
            and each.provider_account_id == provider_account_id
            and each.payment_transaction_id == transaction_id
        ]

    # -------------------------------------------------------------- changing

    @property
    def _group(self) -> UUID:
        return self.command.customer_id or self.studio.id

    def create(self, row: Aggregate, trigger: str, **facts: object) -> None:
        """A new aggregate by its machine's first step. `row.state` and hashes are filled in here."""
        row.state = row.MACHINE.step(NOWHERE, trigger)
        self._remember(row)
        self._chain(row, trigger, NOWHERE, facts)
        self._write(INSERTS[type(row)], row)

    def insert_payment(self, payment: Payment) -> None:
        self._remember(payment)
        self._write(INSERTS[Payment], payment)

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
        self._batch.waves.add(OPEN_INVOICE, invoice.id, self._group, values)
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
        unit: int,
    ) -> None:
        self._batch.lines.append(
            [
                new_id(), self.studio.id, invoice_id, position, price_id, description, quantity, unit,
                quantity * unit,
            ]
        )  # fmt: skip

    def post(self, posting: Posting, posting_id: UUID, amount_minor: int, currency: str) -> None:
        """One transfer between the two accounts of `posting`. Nothing moves for a sum of zero."""
        if amount_minor == 0:
            return
        accounts = [(ledger_account_id(self.studio.id, kind, currency), kind) for kind in ACCOUNTS[posting]]
        if currency != self.studio.currency:
            for identifier, kind in accounts:
                self._batch.other_currency_accounts.add((identifier, self.studio.id, kind.value, currency))
        (debit, _), (credit, _) = accounts
        self._batch.transfers.append(
            [
                new_id(), self.studio.id, debit, credit, amount_minor, currency, posting_id, self.command_id,
                self.now,
            ]
        )  # fmt: skip

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
            [
                new_id(), self.studio.id, channel, kind, schema_version, body, self.correlation_id,
                self.command_id, self.now,
            ]
        )  # fmt: skip

    def _remember(self, row: Row) -> None:
        rows: dict[type[Row], dict[UUID, Any]] = {
            Subscription: self._loaded.subscriptions,
            Invoice: self._loaded.invoices,
            Attempt: self._loaded.attempts,
            Payment: self._loaded.payments,
            Refund: self._loaded.refunds,
        }
        if row.id in rows[type(row)]:
            raise InvariantViolated("created_twice", table=row.TABLE, id=str(row.id))
        rows[type(row)][row.id] = row
        if isinstance(row, Attempt):
            self._loaded.attempts_of_invoice.setdefault(row.invoice_id, []).append(row)

    def _write(self, kind: Kind, row: Row) -> None:
        self.has_changed = True
        # A refund may be told without its customer, in one group with its payment.
        payment_id = row.provider_payment_id if isinstance(row, Refund) else None
        self._batch.waves.add(kind, row.id, self._group, values_of(row, kind), payment_id)

    def _chain(self, row: Aggregate, trigger: str, from_state: str, facts: Mapping[str, object]) -> None:
        self.has_changed = True
        told = orjson.loads(canonical_json(facts)) if facts else {}
        row.head_hash = event_hash(
            row.head_hash,
            {
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
            },
        )
        self._batch.events.append(
            [
                row.id, row.version, row.MACHINE.name, self.studio.id, trigger, from_state, row.state,
                orjson.dumps(told).decode(), self.command_id, self.correlation_id, self.now, row.head_hash,
            ]
        )  # fmt: skip
        notice = notice_of(row, trigger)
        if notice is not None:
            self.tell(notice[0], row.customer_id, **notice[1])
