"""What was loaded for a group of commands: rows by id, and by what they hang on.

Filled by `loading`, looked through by `looking`, added to by `work` as the commands of the group create rows.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.errors import InvariantViolated
from state_updater.booking_rows import Booking, Extra, ExtraUse, Hall, Occupancy
from state_updater.rows import (
    Admission,
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


@dataclass(slots=True)
class Loaded:
    """The rows of a group, by id. `now` is the database's clock after every lock was taken."""

    now: datetime
    studios: dict[UUID, Studio]
    subscriptions: dict[UUID, Subscription] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)
    invoices: dict[UUID, Invoice] = field(default_factory=dict)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    occupancies: dict[UUID, Occupancy] = field(default_factory=dict)
    extra_uses: dict[UUID, ExtraUse] = field(default_factory=dict)
    admissions: dict[UUID, Admission] = field(default_factory=dict)
    prices: dict[UUID, Price] = field(default_factory=dict)
    provider_accounts: dict[UUID, ProviderAccount] = field(default_factory=dict)
    halls: dict[UUID, Hall] = field(default_factory=dict)
    extras: dict[UUID, Extra] = field(default_factory=dict)
    customers: dict[UUID, UUID] = field(default_factory=dict)
    attempts_of_invoice: dict[UUID, list[Attempt]] = field(init=False)
    admissions_of_invoice: dict[UUID, list[Admission]] = field(init=False)
    occupancies_of_hall: dict[UUID, list[Occupancy]] = field(init=False)
    occupancies_of_booking: dict[UUID | None, list[Occupancy]] = field(init=False)
    uses_of_extra: dict[UUID, list[ExtraUse]] = field(init=False)
    uses_of_booking: dict[UUID, list[ExtraUse]] = field(init=False)

    def __post_init__(self) -> None:
        self.attempts_of_invoice = _listed_by("invoice_id", self.attempts.values())
        self.admissions_of_invoice = _listed_by("invoice_id", self.admissions.values())
        self.occupancies_of_hall = _listed_by("hall_id", self.occupancies.values())
        self.occupancies_of_booking = _listed_by("booking_id", self.occupancies.values())
        self.uses_of_extra = _listed_by("extra_id", self.extra_uses.values())
        self.uses_of_booking = _listed_by("booking_id", self.extra_uses.values())

    def remember(self, row: Row) -> None:
        """A row that a command creates: later ones see it. Raises InvariantViolated if it is there."""
        rows = self._rows_like(row)
        if row.id in rows:
            raise InvariantViolated("created_twice", table=row.TABLE, id=str(row.id))
        rows[row.id] = row
        match row:
            case Attempt():
                self.attempts_of_invoice[row.invoice_id].append(row)
            case Occupancy():
                self.occupancies_of_hall[row.hall_id].append(row)
                self.occupancies_of_booking[row.booking_id].append(row)
            case ExtraUse():
                self.uses_of_extra[row.extra_id].append(row)
                self.uses_of_booking[row.booking_id].append(row)

    def _rows_like(self, row: Row) -> dict[UUID, Any]:
        rows: dict[type[Row], dict[UUID, Any]] = {
            Subscription: self.subscriptions,
            Booking: self.bookings,
            Invoice: self.invoices,
            Attempt: self.attempts,
            Payment: self.payments,
            Refund: self.refunds,
            Occupancy: self.occupancies,
            ExtraUse: self.extra_uses,
        }
        return rows[type(row)]


def _listed_by(name: str, rows: Iterable[Any]) -> "defaultdict[Any, list[Any]]":
    listed: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        listed[getattr(row, name)].append(row)
    return listed
