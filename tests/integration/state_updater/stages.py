"""A shop with halls: every command of bookings, and the beginnings of their stories.

Called by the tests of bookings in this folder. All visits are on one day, two weeks ahead of the clock.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bus.messages import (
    BlockHall,
    CancelBooking,
    CancellationTier,
    CheckOutBooking,
    CompleteBooking,
    ExpireHold,
    ExtraWanted,
    HoldBooking,
    InvoiceLine,
    MarkNoShow,
    Offer,
    RecordPaymentOutcome,
    RescheduleBooking,
    UnblockHall,
)
from kit.ids import new_id
from storage.halls import NewExtra, NewHall, create_extra, create_hall
from tests.integration.state_updater.shops import Shop

TOTAL_MINOR = 150_000
TERMS = (
    CancellationTier(hours_before=48, refund_percent=100),
    CancellationTier(hours_before=24, refund_percent=50),
)
_ALWAYS = [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}]


@dataclass
class Stage(Shop):
    hall_id: UUID = field(default_factory=new_id)
    day: datetime = field(
        default_factory=lambda: (
            datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=14)
        )
    )

    def set_up(self, **changes: str) -> None:
        super().set_up(**changes)
        self.add_hall(self.hall_id)

    def add_hall(self, hall_id: UUID, before: int = 0, after: int = 0) -> None:
        hall = NewHall(
            id=hall_id,
            studio_id=self.studio_id,
            name=f"Hall {hall_id}",
            capacity=10,
            hours=_ALWAYS,
            buffer_before_minutes=before,
            buffer_after_minutes=after,
        )
        with self.owner.begin() as connection:
            create_hall(connection, hall)

    def add_extra(self, stock: int | None, hall_id: UUID | None = None) -> UUID:
        extra = NewExtra(
            id=new_id(),
            studio_id=self.studio_id,
            name=f"Drums {new_id()}",
            unit="hour",
            amount_minor=100,
            hall_id=hall_id,
            stock=stock,
        )
        with self.owner.begin() as connection:
            create_extra(connection, extra)
        return extra.id

    def set_studio(self, **columns: object) -> None:
        for name, value in columns.items():
            self.rows(f"UPDATE studio SET {name} = :value WHERE id = :studio", value=value)  # noqa: S608

    def at(self, hour: float) -> datetime:
        return self.day + timedelta(hours=hour)

    # -------------------------------------------------------------- commands

    def offer_of(
        self,
        starts: float = 12,
        ends: float | None = None,
        total_minor: int = TOTAL_MINOR,
        extras: dict[UUID, int] | None = None,
        **changes: Any,
    ) -> Offer:
        """A time by hours of the day; two hours long if no end is given."""
        fields = {
            "hall_id": self.hall_id,
            "starts_at": self.at(starts),
            "ends_at": self.at(starts + 2 if ends is None else ends),
            "people": 4,
            "extras": tuple(ExtraWanted(extra_id=key, quantity=each) for key, each in (extras or {}).items()),
            "lines": (InvoiceLine(description="Зал", quantity=1, unit_amount_minor=total_minor),),
            "terms": TERMS,
        }
        return Offer(**fields | changes)

    def hold(self, booking_id: UUID, offer: Offer | None = None, **changes: Any) -> HoldBooking:
        fields = {"booking_id": booking_id, "offer": offer or self.offer_of(), "origin": "customer"}
        return HoldBooking(**self._base() | fields | changes)

    def check_out(self, booking_id: UUID, invoice_id: UUID | None = None, **changes: Any) -> CheckOutBooking:
        fields = {"booking_id": booking_id, "invoice_id": invoice_id or new_id(), "payment": "online"}
        return CheckOutBooking(**self._base() | fields | {"origin": "customer"} | changes)

    def expire_hold(self, booking_id: UUID, **changes: Any) -> ExpireHold:
        return ExpireHold(**self._base() | {"booking_id": booking_id} | changes)

    def move(
        self, booking_id: UUID, offer: Offer, invoice_id: UUID | None = None, **changes: Any
    ) -> RescheduleBooking:
        fields = {"booking_id": booking_id, "offer": offer, "invoice_id": invoice_id or new_id()}
        return RescheduleBooking(**self._base() | fields | {"origin": "customer"} | changes)

    def let_go(self, booking_id: UUID, **changes: Any) -> CancelBooking:
        return CancelBooking(**self._base() | {"booking_id": booking_id, "origin": "customer"} | changes)

    def complete(self, booking_id: UUID, **changes: Any) -> CompleteBooking:
        return CompleteBooking(**self._base() | {"booking_id": booking_id, "origin": "clock"} | changes)

    def no_show(self, booking_id: UUID, **changes: Any) -> MarkNoShow:
        return MarkNoShow(**self._base() | {"booking_id": booking_id} | changes)

    def block(self, blackout_id: UUID, starts: float, ends: float, **changes: Any) -> BlockHall:
        fields = {"hall_id": self.hall_id, "blackout_id": blackout_id, "note": "painting"}
        window = {"starts_at": self.at(starts), "ends_at": self.at(ends)}
        return BlockHall(**{"studio_id": self.studio_id, "customer_id": None} | fields | window | changes)

    def unblock(self, blackout_id: UUID, **changes: Any) -> UnblockHall:
        fields = {"hall_id": self.hall_id, "blackout_id": blackout_id}
        return UnblockHall(**{"studio_id": self.studio_id, "customer_id": None} | fields | changes)

    def paid_for(self, attempt_id: UUID, invoice_id: UUID, **changes: Any) -> RecordPaymentOutcome:
        return self.paid(attempt_id, invoice_id, **{"amount_minor": TOTAL_MINOR} | changes)

    # -------------------------------------------------------------- beginnings of stories

    def held(self, offer: Offer | None = None, **changes: Any) -> UUID:
        booking_id = new_id()
        assert self.tell(self.hold(booking_id, offer, **changes)) == ["applied"]
        return booking_id

    def awaiting(
        self, offer: Offer | None = None, method: str = "widget", **changes: Any
    ) -> tuple[UUID, UUID, UUID]:
        """A hold with its invoice and an attempt to pay it: (booking, invoice, attempt)."""
        booking_id, invoice_id, attempt_id = self.held(offer, **changes), new_id(), new_id()
        told = self.tell(
            self.check_out(booking_id, invoice_id, **changes),
            self.start(attempt_id, invoice_id, method, **changes),
        )
        assert told == ["applied"] * 2
        return booking_id, invoice_id, attempt_id

    def confirmed(self, offer: Offer | None = None, **changes: Any) -> tuple[UUID, RecordPaymentOutcome]:
        """A booking that has been paid for, and what told of the money."""
        offer = offer or self.offer_of()
        booking_id, invoice_id, attempt_id = self.awaiting(offer, **changes)
        paid = self.paid_for(attempt_id, invoice_id, amount_minor=offer.total_minor, **changes)
        assert self.tell(paid) == ["applied"]
        return booking_id, paid

    def pass_deadline(self, booking_id: UUID, minutes: float = 0) -> None:
        """So much after a hold's deadline, by the studio's clock."""
        deadline = self.one("SELECT hold_expires_at FROM booking WHERE id = :id", id=booking_id)
        self.set_clock(deadline + timedelta(minutes=minutes, seconds=1))

    def admit(self, invoice_id: UUID, attempt_id: UUID, transaction_id: str = "1") -> None:
        """Leave to take money, as the API gives it."""
        self.rows(
            "INSERT INTO check_admission SELECT gen_random_uuid(), :studio, :account, :invoice, :attempt,"
            " :transaction, clock_timestamp() + make_interval(secs => coalesce("
            " (SELECT offset_seconds FROM clock_offset WHERE studio_id = :studio), 0))",
            account=self.account_id,
            invoice=invoice_id,
            attempt=attempt_id,
            transaction=transaction_id,
        )

    # -------------------------------------------------------------- looking

    def taken(self, hall_id: UUID | None = None) -> list[tuple[str, float, float]]:
        """What stands in a hall: kind and hours of the day."""
        found = self.rows(
            "SELECT kind, starts_at, ends_at FROM occupancy WHERE hall_id = :hall AND released_at IS NULL"
            " ORDER BY starts_at",
            hall=hall_id or self.hall_id,
        )
        hour = timedelta(hours=1)
        return [(kind, (start - self.day) / hour, (end - self.day) / hour) for kind, start, end in found]

    def out(self, extra_id: UUID) -> int:
        return int(
            self.one(
                "SELECT coalesce(sum(quantity), 0) FROM extra_use"
                " WHERE extra_id = :extra AND released_at IS NULL",
                extra=extra_id,
            )
        )

    def refunds(self, booking_id: UUID) -> list[tuple[int, str, str]]:
        """Sums, origins and states of the refunds of what was paid for a booking, in their order."""
        found = self.rows(
            "SELECT r.amount_minor, r.origin, r.state FROM refund r JOIN invoice i ON i.id = r.invoice_id"
            " WHERE i.booking_id = :id ORDER BY r.created_at, r.id",
            id=booking_id,
        )
        return [(int(amount), origin, state) for amount, origin, state in found]

    def events(self, booking_id: UUID) -> list[str]:
        """What the world was told of a booking, in order."""
        found = self.rows(
            "SELECT kind FROM outbox WHERE channel = 'event' AND body ->> 'booking_id' = :id ORDER BY id",
            id=str(booking_id),
        )
        return [kind for (kind,) in found]
