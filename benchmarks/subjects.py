"""Customers who are about to pay: all that RecordPaymentOutcome(succeeded) needs, made by the product itself.

Every id is the md5 of a kind and a number, so that SQL can name the same rows without being told. Subject n
belongs to studio n mod STUDIO_COUNT. Called by the benchmark before anything is measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from bus.messages import Command, CreateSubscription, RecordPaymentOutcome, StartPayment, encode
from bus.port import Envelope
from kit.ids import sha256
from state_updater.apply import Received, apply_group
from state_updater.writing import execute_rows, insert_statement
from storage.studios import create_plan, create_price, create_provider_account, create_studio

# As many as pgbench has clients: each of them works in a studio of its own.
STUDIO_COUNT = 16
CURRENCY = "RUB"
AMOUNT_MINOR = 149_000
CORRELATION_ID = "benchmark"
FILL_GROUP_SIZE = 400
SUBJECT_KINDS = ("customer", "subscription", "invoice", "attempt", "payment", "RecordPaymentOutcome")
STUDIO_KINDS = ("studio", "plan", "price", "provider_account")

_INSERT_CUSTOMERS = insert_statement(
    "customer", {"id": "uuid", "studio_id": "uuid", "email": "text", "name": "text"}
)
_INSERT_JOURNAL = insert_statement(
    "command_journal",
    {
        "command_id": "uuid",
        "studio_id": "uuid",
        "customer_id": "uuid",
        "partition": "smallint",
        "kind": "text",
        "schema_version": "smallint",
        "body": "bytea",
        "body_hash": "bytea",
        "request_hash": "bytea",
        "principal": "text",
        "correlation_id": "text",
        "republish_at": "timestamptz",
    },
)
# The relay would take commands that wait for their measurement for lost ones.
_REPUBLISH_DELAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """One customer with an incomplete subscription, its open invoice and a page on which to pay it."""

    number: int

    def id(self, kind: str) -> UUID:
        """The same as SQL's `md5(kind || ':' || number)::uuid`."""
        number = self.number % STUDIO_COUNT if kind in STUDIO_KINDS else self.number
        return UUID(md5(f"{kind}:{number}".encode(), usedforsecurity=False).hexdigest())

    @property
    def transaction_id(self) -> str:
        return f"transaction:{self.number}"

    def create_subscription(self) -> CreateSubscription:
        return CreateSubscription(
            studio_id=self.id("studio"),
            customer_id=self.id("customer"),
            subscription_id=self.id("subscription"),
            invoice_id=self.id("invoice"),
            price_id=self.id("price"),
        )

    def start_payment(self) -> StartPayment:
        return StartPayment(
            studio_id=self.id("studio"),
            customer_id=self.id("customer"),
            attempt_id=self.id("attempt"),
            invoice_id=self.id("invoice"),
            provider_account_id=self.id("provider_account"),
            method="widget",
            return_url="http://localhost/done",
        )

    def record_payment_outcome(self) -> RecordPaymentOutcome:
        return RecordPaymentOutcome(
            studio_id=self.id("studio"),
            customer_id=self.id("customer"),
            payment_id=self.id("payment"),
            attempt_id=self.id("attempt"),
            invoice_id=self.id("invoice"),
            subscription_id=self.id("subscription"),
            provider_account_id=self.id("provider_account"),
            outcome="succeeded",
            transaction_id=self.transaction_id,
            amount_minor=AMOUNT_MINOR,
            currency=CURRENCY,
            card_mask="411111******1111",
        )

    def envelope(self) -> Envelope:
        """The command that is measured, as its sender would publish it."""
        command = self.record_payment_outcome()
        return Envelope(
            message_id=self.id(type(command).__name__),
            route=str(command.partition),
            kind=type(command).__name__,
            schema_version=command.schema_version,
            body=encode(command),
            correlation_id=CORRELATION_ID,
            studio_id=command.studio_id,
        )


def create_studios(connection: Connection) -> None:
    """Studios with one price each, as the owner."""
    for subject in map(Subject, range(STUDIO_COUNT)):
        studio_id = subject.id("studio")
        create_studio(
            connection,
            studio_id,
            name=f"Studio {subject.number}",
            host=f"studio-{subject.number}.example.org",
            timezone="Europe/Moscow",
            currency=CURRENCY,
        )
        create_plan(connection, subject.id("plan"), studio_id=studio_id, code="month", name="Month")
        create_price(
            connection,
            subject.id("price"),
            studio_id=studio_id,
            plan_id=subject.id("plan"),
            amount_minor=AMOUNT_MINOR,
            period_unit="month",
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        )
        create_provider_account(
            connection,
            subject.id("provider_account"),
            studio_id=studio_id,
            provider="cloudpayments",
            public_id="benchmark",
            sealed_secret=b"",
            api_url="http://127.0.0.1:9",
            widget_script_url="http://127.0.0.1:9/widget.js",
            is_test=True,
        )


def create_subjects(
    owner: psycopg.Connection[tuple[object, ...]],
    updater: psycopg.Connection[tuple[object, ...]],
    count: int,
) -> None:
    """Subjects 0 to `count` - 1, subscribed and with an attempt begun by the product's own handlers.

    Their RecordPaymentOutcome is in the journal, accepted. What the outbox holds counts as sent.
    """
    for group in groups(count, FILL_GROUP_SIZE):
        _insert_customers(owner, group)
        creating = [subject.create_subscription() for subject in group]
        starting = [subject.start_payment() for subject in group]
        recording = [subject.record_payment_outcome() for subject in group]
        for commands in (creating, starting, recording):
            _accept(owner, group, commands)
        owner.commit()
        for done in (creating, starting):
            apply_group(updater, [received(*pair) for pair in zip(group, done, strict=True)])
    owner.execute("UPDATE outbox SET published_at = clock_timestamp()")
    owner.commit()


def groups(count: int, size: int) -> Iterator[Sequence[Subject]]:
    """Subjects in order of their numbers, `size` at a time."""
    for start in range(0, count, size):
        yield [Subject(number) for number in range(start, min(start + size, count))]


def received(subject: Subject, command: Command) -> Received:
    """The command as the consumer has it after decoding."""
    return Received(subject.id(type(command).__name__), sha256(encode(command)), command)


def _insert_customers(
    connection: psycopg.Connection[tuple[object, ...]], subjects: Sequence[Subject]
) -> None:
    rows = [
        (one.id("customer"), one.id("studio"), f"customer-{one.number}@example.org", f"Customer {one.number}")
        for one in subjects
    ]
    execute_rows(connection, _INSERT_CUSTOMERS, rows)


def _accept(
    connection: psycopg.Connection[tuple[object, ...]],
    subjects: Sequence[Subject],
    commands: Sequence[Command],
) -> None:
    republish_at = datetime.now(UTC) + _REPUBLISH_DELAY
    rows = []
    for subject, command in zip(subjects, commands, strict=True):
        kind, body = type(command).__name__, encode(command)
        rows.append(
            (
                subject.id(kind), command.studio_id, command.customer_id, command.partition, kind,
                command.schema_version, body, sha256(body), sha256(body), "staff:benchmark", CORRELATION_ID,
                republish_at,
            )
        )  # fmt: skip
    execute_rows(connection, _INSERT_JOURNAL, rows)
