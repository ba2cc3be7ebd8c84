"""A studio with one customer, and every command it may want, accepted and applied by the real functions.

Called by the tests of this folder and of `billing_consumer`. A shop shares its database with other
shops; what a test asks for is its own.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

from billing.payments import received_payment_id
from billing.periods import PeriodUnit
from billing.subscriptions import renewal_invoice_id
from bus.messages import (
    ApproveRefund,
    CancelSubscription,
    ChangeSubscription,
    Command,
    CreateSubscription,
    DeclineRefund,
    EndSubscription,
    ExpireInvoice,
    InvoiceLine,
    IssueInvoice,
    RecordPaymentOutcome,
    RecordRefundOutcome,
    RejectRefund,
    RenewSubscription,
    RequestRefund,
    RetryLookUp,
    StartPayment,
    VoidInvoice,
    decode_command,
)
from kit.ids import new_id, sha256
from state_updater.apply import Answer, Received, apply_group
from storage.database import connect_as, create_role_engine, tenant
from storage.journal import accept
from storage.provider_calls import CallKind, Subject, begin_call, finish_call
from storage.sealing import new_sealing_key, seal
from storage.studios import create_plan, create_price, create_provider_account, create_studio
from storage.verification import ROLE, verify

ROOT = Path(__file__).parents[3]
PRICE_MINOR = 149_000
SEALING_KEY = new_sealing_key()
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_transactions = count(1_000)

_CUSTOMER = text("INSERT INTO customer (id, studio_id, email, name) VALUES (:id, :studio_id, :email, 'Anna')")
_CALLBACK = text("""
    INSERT INTO callback_inbox (id, studio_id, provider_account_id, kind, deduplication_hash, signature,
        command_id)
    VALUES (:id, :studio_id, :account_id, 'pay', sha256(CAST(:id AS text)::bytea), 'signed', :command_id)
""")

Row = tuple[Any, ...]


@dataclass
class Shop:
    """Ids of a studio, its account, price and customer, and what may be done there."""

    url: str
    studio_id: UUID = field(default_factory=new_id)
    customer_id: UUID = field(default_factory=new_id)
    account_id: UUID = field(default_factory=new_id)
    price_id: UUID = field(default_factory=new_id)
    plan_id: UUID = field(default_factory=new_id)

    @cached_property
    def owner(self) -> Engine:
        return create_engine(make_url(self.url).set(drivername="postgresql+psycopg"), pool_size=1)

    @cached_property
    def api(self) -> Engine:
        return create_role_engine(self.url, "billbus_api", "test")

    @cached_property
    def worker(self) -> Engine:
        return create_role_engine(self.url, "billbus_worker", "test")

    @cached_property
    def updater(self) -> psycopg.Connection[Row]:
        return connect_as(self.url, "billbus_updater", "test")

    def reconnect(self) -> None:
        """After the server was killed."""
        self.close()
        for name in ("owner", "api", "worker", "updater"):
            self.__dict__.pop(name, None)

    def close(self) -> None:
        for name in ("owner", "api", "worker"):
            if name in self.__dict__:
                self.__dict__[name].dispose()
        if "updater" in self.__dict__:
            self.updater.close()

    # -------------------------------------------------------------- setting up

    def add_customer(self) -> UUID:
        customer_id = new_id()
        with self.owner.begin() as connection:
            self._insert_customer(connection, customer_id)
        return customer_id

    def _insert_customer(self, connection: Any, customer_id: UUID) -> None:
        row = {"id": customer_id, "studio_id": self.studio_id, "email": f"{customer_id}@studio.example"}
        connection.execute(_CUSTOMER, row)

    def set_up(self, **changes: str) -> None:
        """`changes`: host, refund_policy, api_url, public_id, secret."""
        with self.owner.begin() as connection:
            create_studio(
                connection,
                self.studio_id,
                name="Studio",
                host=f"{self.studio_id}.example",
                timezone="Europe/Moscow",
                currency="RUB",
                refund_policy=changes.get("refund_policy", "staff"),
            )
            create_plan(connection, self.plan_id, studio_id=self.studio_id, code="month", name="Месяц")
            create_price(
                connection,
                self.price_id,
                studio_id=self.studio_id,
                plan_id=self.plan_id,
                amount_minor=PRICE_MINOR,
                period_unit="month",
                effective_from=_LONG_AGO,
            )
            self.add_account(connection, self.account_id, **changes)
            self._insert_customer(connection, self.customer_id)

    def add_price(
        self,
        amount_minor: int = 2 * PRICE_MINOR,
        effective_from: datetime = _LONG_AGO,
        period_unit: PeriodUnit = "year",
    ) -> UUID:
        """Another price of the plan; by the month it is a later version of `price_id`."""
        price_id = new_id()
        with self.owner.begin() as connection:
            create_price(
                connection,
                price_id,
                studio_id=self.studio_id,
                plan_id=self.plan_id,
                amount_minor=amount_minor,
                period_unit=period_unit,
                effective_from=effective_from,
            )
        return price_id

    def add_account(self, connection: Any, account_id: UUID, **changes: str) -> None:
        create_provider_account(
            connection,
            account_id,
            studio_id=self.studio_id,
            provider="cloudpayments",
            public_id=changes.get("public_id", f"pk_{account_id}"),
            sealed_secret=seal(SEALING_KEY, changes.get("secret", "secret")),
            api_url=changes.get("api_url", "http://127.0.0.1:9"),
            widget_script_url="http://127.0.0.1:9/w.js",
            is_test=True,
        )

    # -------------------------------------------------------------- commands

    def _base(self, customer_id: UUID | None = None) -> dict[str, Any]:
        return {"studio_id": self.studio_id, "customer_id": customer_id or self.customer_id}

    def create(self, subscription_id: UUID, invoice_id: UUID, **changes: Any) -> CreateSubscription:
        fields = self._base() | {"price_id": self.price_id, "metadata": {"hall": 3}} | changes
        return CreateSubscription(subscription_id=subscription_id, invoice_id=invoice_id, **fields)

    def change(self, subscription_id: UUID, price_id: UUID, **changes: Any) -> ChangeSubscription:
        fields = self._base() | {"subscription_id": subscription_id, "price_id": price_id}
        return ChangeSubscription(**fields | changes)

    def cancel(self, subscription_id: UUID, invoice_id: UUID | None, **changes: Any) -> CancelSubscription:
        return CancelSubscription(
            **self._base() | {"subscription_id": subscription_id, "invoice_id": invoice_id} | changes
        )

    def renew(self, subscription_id: UUID, period_start: datetime, **changes: Any) -> RenewSubscription:
        fields = self._base() | {
            "subscription_id": subscription_id,
            "invoice_id": renewal_invoice_id(subscription_id, period_start),
            "period_start": period_start,
        }
        return RenewSubscription(**fields | changes)

    def end(self, subscription_id: UUID, **changes: Any) -> EndSubscription:
        return EndSubscription(**self._base() | {"subscription_id": subscription_id} | changes)

    def issue(self, invoice_id: UUID, *amounts_minor: int, **changes: Any) -> IssueInvoice:
        lines = tuple(
            InvoiceLine(description="Барабаны", quantity=1, unit_amount_minor=each)
            for each in amounts_minor or (PRICE_MINOR,)
        )
        return IssueInvoice(**self._base() | {"invoice_id": invoice_id, "lines": lines} | changes)

    def void(self, invoice_id: UUID, subscription_id: UUID | None = None, **changes: Any) -> VoidInvoice:
        fields = self._base() | {"invoice_id": invoice_id, "subscription_id": subscription_id} | changes
        return VoidInvoice(reason="a mistake", **fields)

    def expire(self, invoice_id: UUID, subscription_id: UUID | None = None, **changes: Any) -> ExpireInvoice:
        return ExpireInvoice(
            **self._base() | {"invoice_id": invoice_id, "subscription_id": subscription_id} | changes
        )

    def start(
        self, attempt_id: UUID, invoice_id: UUID, method: str = "widget", **changes: Any
    ) -> StartPayment:
        fields = self._base() | {
            "attempt_id": attempt_id,
            "invoice_id": invoice_id,
            "provider_account_id": self.account_id,
            "method": method,
            "return_url": "https://studio.example/done",
        }
        return StartPayment(**fields | changes)

    def outcome(
        self,
        name: str,
        attempt_id: UUID | None,
        invoice_id: UUID | None,
        subscription_id: UUID | None = None,
        **changes: Any,
    ) -> RecordPaymentOutcome:
        fields = self._base() | {
            "payment_id": None,
            "attempt_id": attempt_id,
            "invoice_id": invoice_id,
            "subscription_id": subscription_id,
            "provider_account_id": self.account_id,
            "outcome": name,
        }
        return RecordPaymentOutcome(**fields | changes)

    def paid(
        self,
        attempt_id: UUID | None,
        invoice_id: UUID | None,
        subscription_id: UUID | None = None,
        transaction_id: str | None = None,
        **changes: Any,
    ) -> RecordPaymentOutcome:
        """A success; by default a new transaction over the whole price."""
        transaction_id = transaction_id or str(next(_transactions))
        account_id = changes.get("provider_account_id", self.account_id)
        money = {
            "payment_id": received_payment_id(account_id, transaction_id),
            "transaction_id": transaction_id,
            "amount_minor": PRICE_MINOR,
            "currency": "RUB",
            "card_mask": "411111******1111",
        }
        return self.outcome("succeeded", attempt_id, invoice_id, subscription_id, **money | changes)

    def request(
        self, refund_id: UUID, payment: RecordPaymentOutcome, amount_minor: int, **changes: Any
    ) -> RequestRefund:
        fields = self._of(refund_id, payment) | {"amount_minor": amount_minor, "reason": "too loud"}
        return RequestRefund(**fields | {"origin": "customer"} | changes)

    def approve(self, refund_id: UUID, payment: RecordPaymentOutcome, **changes: Any) -> ApproveRefund:
        return ApproveRefund(**self._of(refund_id, payment) | changes)

    def reject(self, refund_id: UUID, payment: RecordPaymentOutcome, **changes: Any) -> RejectRefund:
        return RejectRefund(**self._of(refund_id, payment) | {"reason": "used up"} | changes)

    def decline(self, refund_id: UUID, payment: RecordPaymentOutcome, **changes: Any) -> DeclineRefund:
        return DeclineRefund(**self._of(refund_id, payment) | {"reason": "none in the cabinet"} | changes)

    def _of(self, refund_id: UUID, payment: RecordPaymentOutcome) -> dict[str, Any]:
        named = {"refund_id": refund_id, "payment_id": payment.payment_id, "invoice_id": payment.invoice_id}
        return self._base(payment.customer_id) | named

    def refunded(
        self, refund_id: UUID, payment: RecordPaymentOutcome, amount_minor: int | None = None, **changes: Any
    ) -> RecordRefundOutcome:
        """What a callback or an answer tells of a refund; by default that it has happened."""
        fields = self._of(refund_id, payment) | {
            "provider_account_id": self.account_id,
            "outcome": "succeeded",
            "payment_transaction_id": payment.transaction_id,
            "provider_refund_id": str(next(_transactions)),
            "amount_minor": amount_minor or PRICE_MINOR,
            "currency": "RUB",
        }
        return RecordRefundOutcome(**fields | changes)

    def retry(
        self, attempt_id: UUID | None = None, refund_id: UUID | None = None, **changes: Any
    ) -> RetryLookUp:
        return RetryLookUp(**self._base() | {"attempt_id": attempt_id, "refund_id": refund_id} | changes)

    # -------------------------------------------------------------- accepting and applying

    def accept(self, command: Command, principal: str | None = None) -> Received:
        """Writes the command's journal row, and for an outcome the callback that it came from."""
        with tenant(self.api, command.studio_id) as connection:
            return self._accept(connection, command, principal)

    def accept_all(self, commands: Sequence[Command]) -> list[Received]:
        """As `accept`, all in one transaction; they are this studio's."""
        with tenant(self.api, self.studio_id) as connection:
            return [self._accept(connection, command, None) for command in commands]

    def _accept(self, connection: Connection, command: Command, principal: str | None) -> Received:
        is_outcome = isinstance(command, RecordPaymentOutcome | RecordRefundOutcome)
        principal = principal or ("callback:test" if is_outcome else "customer:test")
        command_id = new_id()
        accepted = accept(
            connection,
            command,
            command_id=command_id,
            request_hash=b"request",
            principal=principal,
            correlation_id="test",
        )
        if principal.startswith("callback:"):
            callback = {"id": new_id(), "studio_id": self.studio_id, "account_id": self.account_id}
            connection.execute(_CALLBACK, callback | {"command_id": command_id})
        assert accepted.envelope is not None
        body = accepted.envelope.body
        return Received(command_id, sha256(body), decode_command(type(command).__name__, 1, body))

    def send(self, *commands: Command) -> list[Answer]:
        """Accepts all, applies them in one group; the answers in the order of the commands."""
        return self.apply([self.accept(command) for command in commands])

    def apply(self, group: list[Received]) -> list[Answer]:
        try:
            answers = {answer.row.command_id: answer for answer in apply_group(self.updater, group).answers}
        except BaseException:
            self.updater.rollback()
            raise
        return [answers[each.command_id] for each in group]

    def tell(self, *commands: Command) -> list[str]:
        """Accepts and applies one by one; what became of each: its state, or the code of its problem."""
        return [said(answer) for command in commands for answer in self.send(command)]

    # -------------------------------------------------------------- beginnings of stories

    def subscribe(self) -> tuple[UUID, UUID]:
        subscription_id, invoice_id = new_id(), new_id()
        assert self.tell(self.create(subscription_id, invoice_id)) == ["applied"]
        return subscription_id, invoice_id

    def offer(self, method: str = "widget") -> tuple[UUID, UUID, UUID]:
        """A subscription whose invoice has an attempt: (subscription, invoice, attempt)."""
        subscription_id, invoice_id = self.subscribe()
        attempt_id = new_id()
        assert self.tell(self.start(attempt_id, invoice_id, method)) == ["applied"]
        return subscription_id, invoice_id, attempt_id

    def pay(self) -> RecordPaymentOutcome:
        """A subscription that has been paid for; returns what told of the money."""
        subscription_id, invoice_id, attempt_id = self.offer()
        paid = self.paid(attempt_id, invoice_id, subscription_id)
        assert self.tell(paid) == ["applied"]
        return paid

    def call(self, kind: CallKind, subject: Subject, outcome: str | None = "unknown") -> UUID:
        """A recorded call about an attempt or a refund, finished if it has an outcome."""
        with self.worker.begin() as connection:
            call = begin_call(
                connection, subject, kind, request_id=str(subject.id), body_hash=b"", lease_seconds=60
            )
            assert call is not None
            if outcome is not None:
                finish_call(connection, call.id, outcome, {}, None)
        return call.id

    def set_clock(self, at: datetime) -> None:
        """From now on it is `at` in this studio, and goes on from there."""
        self.rows(
            "INSERT INTO clock_offset"
            " SELECT :studio, round(extract(epoch FROM CAST(:at AS timestamptz) - clock_timestamp()))"
            " ON CONFLICT (studio_id) DO UPDATE SET offset_seconds = excluded.offset_seconds",
            at=at,
        )

    # -------------------------------------------------------------- looking

    def rows(self, statement: str, **parameters: object) -> list[Row]:
        """Asks as the owner; `:studio` is this one."""
        with self.owner.begin() as connection:
            result = connection.execute(text(statement), {"studio": self.studio_id} | parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

    def one(self, statement: str, **parameters: object) -> Any:
        """The only value of the only row."""
        ((value,),) = self.rows(statement, **parameters)
        return value

    def state(self, table: str, identifier: UUID) -> str:
        return str(self.one(f"SELECT state FROM {table} WHERE id = :id", id=identifier))  # noqa: S608

    def balances(self) -> dict[str, int]:
        """Debit less credit by kind of account, empty ones left out."""
        found = self.rows(
            "SELECT kind, balance_minor FROM invariant.account_balance WHERE studio_id = :studio"
        )
        return {kind: int(balance) for kind, balance in found if balance}


def said(answer: Answer) -> str:
    """`applied`, or the code of the problem of a refused or parked one."""
    return answer.state if answer.problem is None else str(answer.problem["code"])


def faults(url: str) -> list[tuple[str, str]]:
    """Everything that breaks an invariant in a whole database."""
    engine = create_role_engine(url, ROLE, "test")
    try:
        report = verify(engine)
    finally:
        engine.dispose()
    return [(check.name, finding.fault) for check in report.violations for finding in check.findings]


def process(module: str, url: str, **environment: str) -> "subprocess.Popen[bytes]":
    """A real process of the product on this database; whoever starts it ends it."""
    variables = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "LOG_LEVEL": "INFO"} | environment
    return subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=variables)
