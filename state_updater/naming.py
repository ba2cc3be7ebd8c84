"""Which ids a group of messages names, and so what applying it locks: a pure function of the messages.

Called by `loading`. What hangs on these ids is found by the statements.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from billing.payments import received_payment_id
from bus.messages import (
    BlockHall,
    CancelBooking,
    CancelSubscription,
    CheckOutBooking,
    Command,
    CreateSubscription,
    ExpireHold,
    ExpireInvoice,
    HoldBooking,
    IssueInvoice,
    RecordPaymentOutcome,
    RecordRefundOutcome,
    RenewSubscription,
    RescheduleBooking,
    RetryLookUp,
    StartPayment,
    VoidInvoice,
)

# Commands whose handler asks what booking an invoice is of.
_OF_INVOICES = (RecordPaymentOutcome, VoidInvoice, ExpireInvoice)
# Commands that ask whether a provider has leave to take money for an invoice, or close that leave.
_ASKING_LEAVE = (*_OF_INVOICES, StartPayment, CancelSubscription)


class Window(NamedTuple):
    """A time in which a hall or an extra is wanted."""

    subject_id: UUID
    starts_at: datetime
    ends_at: datetime


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


def invoices_asked_about(commands: Iterable[Command]) -> list[UUID]:
    """The invoices that are named by commands which need to know their booking."""
    return ids_of(_of_kind(commands, *_OF_INVOICES), "invoice_id")


def ids_of(commands: Iterable[Command], field_name: str) -> list[UUID]:
    """The sorted distinct ids that these commands carry under one field name."""
    return _sorted_ids(getattr(command, field_name, None) for command in commands)


def _sorted_ids(found: Iterable[UUID | None]) -> list[UUID]:
    return sorted({identifier for identifier in found if identifier is not None})


def _of_kind(commands: Iterable[Command], *kinds: type[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kinds)]


@dataclass(frozen=True, slots=True)
class Named:
    """Sorted distinct ids, by what is done with them."""

    studios: list[UUID]
    customers: list[UUID]
    subscriptions: list[UUID]
    invoices: list[UUID]
    attempts: list[UUID]
    payments: list[UUID]
    refunds: list[UUID]
    prices: list[UUID]
    provider_accounts: list[UUID]
    billed_customers: list[UUID]
    canceled_subscriptions: list[UUID]
    renewed_subscriptions: list[UUID]
    refunded_payments: list[UUID]
    invoices_with_leave: list[UUID]
    looked_up_attempts: list[UUID]
    # The provider account and transaction of money that is told of: refunds of it may have been told before.
    early_accounts: list[UUID]
    early_transactions: list[str]


def named_by(commands: Sequence[Command]) -> Named:
    early = sorted(
        (command.provider_account_id, command.transaction_id)
        for command in commands
        if isinstance(command, RecordPaymentOutcome) and command.transaction_id
    )
    refunds = _of_kind(commands, RecordRefundOutcome)
    return Named(
        studios=ids_of(commands, "studio_id"),
        customers=ids_of(commands, "customer_id"),
        subscriptions=ids_of(commands, "subscription_id"),
        invoices=ids_of(commands, "invoice_id"),
        attempts=ids_of(commands, "attempt_id"),
        payments=_sorted_ids(payment_named_by(command) for command in commands),
        refunds=ids_of(commands, "refund_id"),
        prices=ids_of(commands, "price_id"),
        provider_accounts=ids_of(commands, "provider_account_id"),
        billed_customers=ids_of(
            _of_kind(commands, CreateSubscription, IssueInvoice, HoldBooking), "customer_id"
        ),
        canceled_subscriptions=ids_of(_of_kind(commands, CancelSubscription), "subscription_id"),
        renewed_subscriptions=ids_of(_of_kind(commands, RenewSubscription), "subscription_id"),
        refunded_payments=_sorted_ids(payment_named_by(command) for command in refunds),
        invoices_with_leave=ids_of(_of_kind(commands, *_ASKING_LEAVE), "invoice_id"),
        looked_up_attempts=ids_of(_of_kind(commands, RetryLookUp), "attempt_id"),
        early_accounts=[account for account, _ in early],
        early_transactions=[transaction for _, transaction in early],
    )


@dataclass(frozen=True, slots=True)
class NamedBookings:
    """What commands of bookings name. `paid` are the bookings of invoices that others name."""

    # Halls and extras, whose locks are taken.
    lent: list[UUID]
    halls: list[UUID]
    extras: list[UUID]
    bookings: list[UUID]
    paid: list[UUID]
    # These are let go or moved: their invoices and what was paid for them are looked at.
    leaving: list[UUID]
    holding_customers: list[UUID]
    # They want to pay on site.
    customers_on_site: list[UUID]
    blackouts: list[UUID]
    hall_windows: list[Window]
    extra_windows: list[Window]


def bookings_named_by(commands: Sequence[Command], paid: Iterable[UUID]) -> NamedBookings:
    holds = [command for command in commands if isinstance(command, HoldBooking)]
    moves = [command for command in commands if isinstance(command, RescheduleBooking)]
    blackouts = [command for command in commands if isinstance(command, BlockHall)]
    checked_out = [command for command in commands if isinstance(command, CheckOutBooking)]
    offers = [*(command.offer for command in holds), *(command.offer for command in moves)]
    halls = ids_of(commands, "hall_id")
    extras = _sorted_ids(each.extra_id for offer in offers for each in offer.extras)
    known = {*ids_of(commands, "booking_id")} - {command.booking_id for command in holds}
    return NamedBookings(
        lent=[*halls, *extras],
        halls=halls,
        extras=extras,
        bookings=sorted({*known, *paid}),
        paid=sorted(paid),
        leaving=ids_of(_of_kind(commands, ExpireHold, CancelBooking, RescheduleBooking), "booking_id"),
        holding_customers=ids_of(holds, "customer_id"),
        customers_on_site=ids_of((each for each in checked_out if each.payment == "on_site"), "customer_id"),
        blackouts=ids_of(commands, "blackout_id"),
        hall_windows=[
            *(Window(each.hall_id, each.starts_at, each.ends_at) for each in offers),
            *(Window(each.hall_id, each.starts_at, each.ends_at) for each in blackouts),
        ],
        extra_windows=[
            Window(each.extra_id, offer.starts_at, offer.ends_at) for offer in offers for each in offer.extras
        ],
    )
