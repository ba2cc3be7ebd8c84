"""Locking and loading everything that a group of commands may touch, in one round trip.

Called by the apply path; `load`, which takes no locks, by previews.

What a command locks is a pure function of its message: the ids it carries, and what hangs on those. The
order is the same for everyone: journal rows; an advisory lock per customer and payment, and then one per hall
and extra; then rows by table and id. Each statement after the locks sees what their former holders committed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from bus.messages import Command
from state_updater import statements
from state_updater.booking_rows import Booking, Extra, ExtraUse, Hall, Occupancy
from state_updater.loaded import Loaded
from state_updater.naming import (
    Named,
    NamedBookings,
    Window,
    bookings_named_by,
    invoices_asked_about,
    named_by,
)
from state_updater.reading import Connection, Cursor, Reader, rows_by_id
from state_updater.rows import (
    Admission,
    Attempt,
    Invoice,
    Payment,
    Price,
    ProviderAccount,
    Refund,
    Studio,
    Subscription,
)
from storage.locks import advisory_key

# What each field of `Loaded` is made of.
KINDS: dict[str, Any] = {
    "studios": Studio,
    "subscriptions": Subscription,
    "bookings": Booking,
    "invoices": Invoice,
    "attempts": Attempt,
    "payments": Payment,
    "refunds": Refund,
    "occupancies": Occupancy,
    "extra_uses": ExtraUse,
    "admissions": Admission,
    "prices": Price,
    "provider_accounts": ProviderAccount,
    "halls": Hall,
    "extras": Extra,
}

# A field of `Loaded`, a statement that fills it, and its parameters.
Question = tuple[str, str, tuple[Sequence[Any], ...]]


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


class LockedJournal(NamedTuple):
    """The journal rows of a group by command, and the bookings of the invoices that its commands name."""

    rows: dict[UUID, JournalRow]
    booking_ids: list[UUID]


def lock_journal(
    connection: Connection, command_ids: Sequence[UUID], commands: Iterable[Command]
) -> LockedJournal:
    """The journal rows of these messages, locked until the transaction ends."""
    reader = Reader(connection, locking=True)
    with connection.pipeline():
        rows = reader.run(statements.LOCK_JOURNAL, sorted(command_ids))
        booked = reader.ask(statements.BOOKINGS_OF_INVOICES, invoices_asked_about(commands))
    return LockedJournal({row[0]: JournalRow(*row) for row in rows}, [row[0] for row in booked or ()])


def lock_and_load(connection: Connection, commands: Sequence[Command], booking_ids: Iterable[UUID]) -> Loaded:
    """Everything these commands name, locked in the house's order, as it stands now.

    `booking_ids` are those of the invoices that they name, as `lock_journal` has found them.
    """
    return _read(Reader(connection, locking=True), connection, commands, booking_ids)


def load(connection: Connection, commands: Sequence[Command]) -> Loaded:
    """The same rows without a lock: good for saying what would happen now, for nothing that is written."""
    reader = Reader(connection, locking=False)
    booked = reader.ask(statements.BOOKINGS_OF_INVOICES, invoices_asked_about(commands))
    return _read(reader, connection, commands, [row[0] for row in booked or ()])


def _read(
    reader: Reader, connection: Connection, commands: Sequence[Command], booking_ids: Iterable[UUID]
) -> Loaded:
    named, booked = named_by(commands), bookings_named_by(commands, booking_ids)
    asked: defaultdict[str, list[Cursor | None]] = defaultdict(list)
    with connection.pipeline():
        if reader.is_locking:
            _lock(reader, named, booked)
        for field, statement, parameters in (*_locked(named, booked), *_beside(named, booked)):
            asked[field].append(reader.ask(statement, *parameters))
        asked["halls"] = [reader.ask_any(statements.HALLS, booked.halls, booked.bookings)]
        asked["extras"] = [reader.ask_any(statements.EXTRAS, booked.extras, booked.bookings)]
        customers = reader.ask(statements.CUSTOMERS, named.billed_customers)
        clock = reader.run(statements.CLOCK)
    clock_row = clock.fetchone()
    assert clock_row is not None
    return Loaded(
        now=clock_row[0],
        customers={row[0]: row[1] for row in customers or ()},
        **{field: rows_by_id(kind, *asked[field]) for field, kind in KINDS.items()},
    )


def _lock(reader: Reader, named: Named, booked: NamedBookings) -> None:
    # A payment has a lock of its own, because its row is not there when it is first told of: by its callback
    # and a look-up at once, or by its refund.
    reader.ask(statements.LOCK_KEYS, _keys([*named.customers, *named.payments]))
    # The time of a hall, and what is left of an extra, are nobody's row.
    reader.ask_any(statements.LOCK_LENT, _keys(booked.lent), booked.bookings, booked.bookings)


def _keys(identifiers: Iterable[UUID]) -> list[int]:
    return sorted({advisory_key(identifier) for identifier in identifiers})


def _locked(named: Named, booked: NamedBookings) -> Iterable[Question]:
    """Rows that are locked, in the order in which they are."""
    return (
        ("subscriptions", statements.LOCK_SUBSCRIPTIONS, (named.subscriptions,)),
        ("bookings", statements.LOCK_BOOKINGS, (booked.bookings,)),
        ("bookings", statements.LOCK_HELD_BOOKINGS, (booked.holding_customers,)),
        ("bookings", statements.LOCK_ON_SITE_BOOKINGS, (booked.customers_on_site,)),
        ("invoices", statements.LOCK_INVOICES, (named.invoices,)),
        ("invoices", statements.LOCK_INVOICES_OF_PAYMENTS, (named.refunded_payments,)),
        ("invoices", statements.LOCK_UNPAID_INVOICES, (named.canceled_subscriptions,)),
        ("invoices", statements.LOCK_INVOICES_OF_BOOKINGS, (booked.leaving,)),
        ("attempts", statements.LOCK_ATTEMPTS, (named.attempts,)),
        ("attempts", statements.LOCK_LIVE_ATTEMPTS, (named.invoices,)),
        ("attempts", statements.LOCK_ATTEMPTS_OF_CANCELED, (named.canceled_subscriptions,)),
        ("attempts", statements.LOCK_ATTEMPTS_OF_BOOKINGS, (booked.leaving,)),
        ("payments", statements.LOCK_PAYMENTS, (named.payments,)),
        ("payments", statements.LOCK_PAYMENTS_OF_BOOKINGS, (booked.leaving,)),
        ("refunds", statements.LOCK_REFUNDS, (named.refunds,)),
        ("refunds", statements.LOCK_REFUNDS_OF_PAYMENTS, (named.payments,)),
        ("refunds", statements.LOCK_REFUNDS_OF_BOOKINGS, (booked.leaving,)),
        ("refunds", statements.LOCK_EARLY_REFUNDS, (named.early_accounts, named.early_transactions)),
    )


def _beside(named: Named, booked: NamedBookings) -> Iterable[Question]:
    """Rows that other locks guard, or that are only read."""
    return (
        ("admissions", statements.ADMISSIONS_OF_INVOICES, (named.invoices_with_leave,)),
        ("admissions", statements.ADMISSIONS_OF_ATTEMPTS, (named.looked_up_attempts,)),
        ("admissions", statements.ADMISSIONS_OF_CANCELED, (named.canceled_subscriptions,)),
        ("admissions", statements.ADMISSIONS_OF_BOOKINGS, (booked.leaving,)),
        ("occupancies", statements.OCCUPANCIES, (booked.blackouts,)),
        ("occupancies", statements.OCCUPANCIES_OF_BOOKINGS, (booked.bookings,)),
        ("occupancies", statements.OCCUPANCIES_IN_WINDOWS, _columns(booked.hall_windows)),
        ("occupancies", statements.OCCUPANCIES_AROUND_BOOKINGS, (booked.paid,)),
        ("extra_uses", statements.EXTRA_USES_OF_BOOKINGS, (booked.bookings,)),
        ("extra_uses", statements.EXTRA_USES_IN_WINDOWS, _columns(booked.extra_windows)),
        ("extra_uses", statements.EXTRA_USES_AROUND_BOOKINGS, (booked.paid,)),
        ("studios", statements.STUDIOS, (named.studios,)),
        ("prices", statements.PRICES, (named.prices,)),
        ("prices", statements.PRICES_OF_SUBSCRIPTIONS, (named.subscriptions,)),
        ("prices", statements.VERSIONS_FOR_RENEWAL, (named.renewed_subscriptions, named.prices)),
        ("provider_accounts", statements.PROVIDER_ACCOUNTS, (named.provider_accounts,)),
    )


def _columns(windows: Sequence[Window]) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        [window.subject_id for window in windows],
        [window.starts_at for window in windows],
        [window.ends_at for window in windows],
    )
