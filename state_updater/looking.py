"""What one command may see: the rows that were loaded for its group, as earlier commands of it left them.

`Work` looks through this, so handlers do. Nothing is changed here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NoReturn, TypeVar
from uuid import UUID

from billing.invoices import UNPAID
from billing.payments import ADMISSION_SECONDS, LIVE
from billing.refunds import WITHDRAWABLE
from booking.rules.machine import HELD
from bus.messages import Command
from kit.errors import InvalidMessage, NotFound
from state_updater.booking_rows import Booking, Extra, ExtraUse, Hall, Occupancy
from state_updater.loaded import Loaded
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

SomeRow = TypeVar(
    "SomeRow",
    Subscription,
    Booking,
    Invoice,
    Attempt,
    Payment,
    Refund,
    Price,
    ProviderAccount,
    Hall,
    Extra,
    Occupancy,
)


class Looking:
    """The rows of one studio and, where they have one, of the command's customer."""

    def __init__(self, loaded: Loaded, command: Command) -> None:
        self._loaded = loaded
        self.command = command
        self.studio: Studio = loaded.studios[command.studio_id]
        # By the studio's clock, and by the database's.
        self.now: datetime = loaded.now + timedelta(seconds=self.studio.offset_seconds)
        self.written_at: datetime = loaded.now

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

    # -------------------------------------------------------------- bookings

    def get_booking(self, identifier: UUID) -> Booking:
        return self._own(self._loaded.bookings, identifier) or self._missing("booking", identifier)

    def get_hall(self, identifier: UUID) -> Hall:
        return self._own(self._loaded.halls, identifier) or self._missing("hall", identifier)

    def get_extra(self, identifier: UUID) -> Extra:
        return self._own(self._loaded.extras, identifier) or self._missing("extra", identifier)

    def get_blackout(self, identifier: UUID, hall_id: UUID) -> Occupancy:
        found = self._own(self._loaded.occupancies, identifier)
        if found is None or (found.kind, found.hall_id) != ("blackout", hall_id):
            self._missing("blackout", identifier)
        return found

    def booking_of(self, invoice: Invoice) -> Booking | None:
        """What an invoice is for, None outside bookings. Raises InvalidMessage if it is not loaded."""
        if invoice.booking_id is None:
            return None
        found = self._own(self._loaded.bookings, invoice.booking_id)
        if found is None:
            raise InvalidMessage("ids_disagree", invoice_id=str(invoice.id))
        return found

    def held_bookings(self, customer_id: UUID) -> list[Booking]:
        """What a customer holds and has not paid for."""
        bookings = self._loaded.bookings.values()
        return [each for each in bookings if each.customer_id == customer_id and each.state in HELD]

    def on_site_bookings(self, customer_id: UUID) -> list[Booking]:
        """What a customer is to pay for on site and has not begun."""
        return [
            each
            for each in self._loaded.bookings.values()
            if (each.customer_id, each.state, each.payment) == (customer_id, "confirmed", "on_site")
            and each.starts_at > self.now
        ]

    def unpaid_invoices_of(self, booking: Booking) -> list[Invoice]:
        """The invoice that confirms it, or what is to be paid for moving it. At most one."""
        invoices = self._loaded.invoices.values()
        return [each for each in invoices if each.booking_id == booking.id and each.state in UNPAID]

    def payments_of(self, booking: Booking) -> list[Payment]:
        """The money that has paid invoices of a booking, the newest first."""
        invoices = {each.id for each in self._loaded.invoices.values() if each.booking_id == booking.id}
        payments = [each for each in self._loaded.payments.values() if each.invoice_id in invoices]
        return sorted(payments, key=lambda each: (each.received_at, each.id), reverse=True)

    def refunds_of(self, payments: Iterable[Payment]) -> list[Refund]:
        """What was given back of a booking's payments by its terms, and what nobody has decided on."""
        known = {each.id for each in payments}
        return [each for each in self._loaded.refunds.values() if each.provider_payment_id in known]

    def occupancy_of(self, booking: Booking) -> Occupancy:
        """Where a booking stands now, which must be one that has its time."""
        (found,) = _live(self._loaded.occupancies_of_booking[booking.id])
        return found

    def occupancies(self, hall_id: UUID, starts_at: datetime, ends_at: datetime) -> list[Occupancy]:
        """What stands in a hall at some moment between, in the order of time."""
        live = _live(self._loaded.occupancies_of_hall[hall_id])
        found = [each for each in live if each.starts_at < ends_at and each.ends_at > starts_at]
        return sorted(found, key=lambda each: each.starts_at)

    def uses_of(self, booking: Booking) -> list[ExtraUse]:
        """The extras that a booking has or, if its time was given back, has had."""
        return self._loaded.uses_of_booking[booking.id]

    def uses_meanwhile(self, extra_id: UUID) -> list[ExtraUse]:
        """Where an extra is out, about the times that the group asks for."""
        return _live(self._loaded.uses_of_extra[extra_id])

    def find_admission(self, invoice_id: UUID) -> Admission | None:
        """The leave to take money for an invoice that stands; nobody can say whether it was made use of."""
        begins_after = self.now - timedelta(seconds=ADMISSION_SECONDS)
        admissions = self._loaded.admissions_of_invoice[invoice_id]
        return next(
            (each for each in admissions if each.closed_at is None and each.admitted_at > begins_after), None
        )

    def has_unanswered_admission(self, attempt: Attempt) -> bool:
        """A transaction of it had its leave to take money, and nobody has said what became of it."""
        begun_by = self.now - timedelta(seconds=ADMISSION_SECONDS)
        return any(
            each.attempt_id == attempt.id and each.closed_at is None and each.admitted_at <= begun_by
            for each in self._loaded.admissions_of_invoice[attempt.invoice_id]
        )

    def admissions_for(self, account_id: UUID, invoice_id: UUID, transaction_id: str) -> list[Admission]:
        """The leave that a provider was given to take money by this transaction, unless it is closed."""
        return [
            each
            for each in self._loaded.admissions_of_invoice[invoice_id]
            if (each.provider_account_id, each.transaction_id) == (account_id, transaction_id)
            and each.closed_at is None
        ]


SomeLent = TypeVar("SomeLent", Occupancy, ExtraUse)


def _live(rows: Iterable[SomeLent]) -> list[SomeLent]:
    return [each for each in rows if each.released_at is None]
