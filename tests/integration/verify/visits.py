"""What happens in the halls of the history: every way that a booking goes, by the real commands.

Called by `history`, after money has gone every way that it goes without them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

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
    RecordRefundOutcome,
    RescheduleBooking,
    StartPayment,
    UnblockHall,
)
from cli.demo import DEMO_PROVIDER_ACCOUNT_ID, DEMO_STUDIO_ID
from kit.ids import new_id
from storage.halls import NewExtra, NewHall, create_extra, create_hall
from storage.studios import set_clock_offset
from tests.integration.verify.applying import Applied

HOUR_MINOR = 100_000
# Staff's own: whose holds are not counted.
HOLD_SECONDS = 86_400
HOUR = timedelta(hours=1)
# Hours from the first visit on; each booking has a day of its own, but for who takes another's.
FIRST_VISIT = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=30)
TERMS = (
    CancellationTier(hours_before=96, refund_percent=50),
    CancellationTier(hours_before=48, refund_percent=25),
)


class Visits:
    """The bookings of one history; `transactions` are what their provider has done: id, operation, sum."""

    def __init__(self, applied: Applied, customer_id: UUID) -> None:
        self._applied = applied
        self.customer_id = customer_id
        self.hall_id, self.other_hall_id, self.extra_id = new_id(), new_id(), new_id()
        self.transactions: list[tuple[str, str, int]] = []
        with applied.engine.begin() as connection:
            for hall_id, name in ((self.hall_id, "Red"), (self.other_hall_id, "Blue")):
                hall = NewHall(
                    id=hall_id, studio_id=DEMO_STUDIO_ID, name=name, capacity=8,
                    hours=[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}],
                    buffer_before_minutes=15, buffer_after_minutes=30,
                )  # fmt: skip
                create_hall(connection, hall)
            extra = NewExtra(
                id=self.extra_id, studio_id=DEMO_STUDIO_ID, name="Amp", unit="booking", amount_minor=5_000,
                stock=2,
            )  # fmt: skip
            create_extra(connection, extra)

    def happen(self) -> None:
        """Everything, once."""
        self.paid_id = self._paid(0)
        self.held_id = self._held(1, extras=2)
        self.awaiting_id = self._held(2)
        self.awaiting_invoice_id = self._checked_out(self.awaiting_id)
        self.awaiting_page_id = self._page(self.awaiting_invoice_id)
        self._admit(self.awaiting_page_id)
        self._let_go_and_move()
        self._lose_and_find()
        self._come_and_go()
        self._close_and_open()

    def _let_go_and_move(self) -> None:
        self.canceled_id = self._paid(3)
        self._applied.apply(
            CancelBooking(**self._named(self.canceled_id), origin="customer"), "customer:test"
        )
        self._give_back()
        left_id = self._held(4)
        self._applied.apply(CancelBooking(**self._named(left_id), origin="customer"))
        self.moved_id = self._paid(5)
        for day, hours in ((6, 3), (7, 1)):
            offer = self._offer(day, hours, hall_id=self.other_hall_id)
            surcharge_id = new_id()
            moving = RescheduleBooking(
                **self._named(self.moved_id), invoice_id=surcharge_id, offer=offer, origin="staff"
            )
            self._applied.apply(moving, "staff:test")
            if hours == 3:
                self._pay(self._page(surcharge_id), surcharge_id, HOUR_MINOR)
        self._give_back()

    def _lose_and_find(self) -> None:
        """Three holds are lost; of two the money comes: to a hall that is free, and to one that is not."""
        lost = {day: self._held(day) for day in (8, 9, 10)}
        invoices = {day: self._checked_out(booking_id) for day, booking_id in lost.items()}
        pages = {day: self._page(invoices[day]) for day in (8, 9)}
        with self._later(timedelta(seconds=HOLD_SECONDS)):
            for booking_id in lost.values():
                self._applied.apply(ExpireHold(**self._named(booking_id)), "task:test")
        self.reinstated_id, self.lost_id, self.expired_id = lost.values()
        self.taker_id = self._paid(9)
        for day, page in pages.items():
            self._pay(page, invoices[day], 2 * HOUR_MINOR)
        self.lost_invoice_id, self.lost_page_id = invoices[9], pages[9]
        self._give_back()

    def _come_and_go(self) -> None:
        self.completed_id, self.no_show_id = self._paid(11), self._held(12, extras=2)
        on_site = CheckOutBooking(
            **self._named(self.no_show_id), invoice_id=new_id(), payment="on_site", origin="staff"
        )
        self._applied.apply(on_site, "staff:test")
        with self._later(FIRST_VISIT + timedelta(days=12, minutes=10) - datetime.now(UTC)):
            self._applied.apply(
                CompleteBooking(**self._named(self.completed_id), origin="clock"), "task:test"
            )
            self._applied.apply(MarkNoShow(**self._named(self.no_show_id)), "staff:test")
            # What is left of that time is sold again, with its extras.
            self.resold_id = self._held(12 + 1 / 24, extras=2)

    def _close_and_open(self) -> None:
        blackouts = [new_id(), new_id()]
        for day, blackout_id in zip((14, 15), blackouts, strict=True):
            starts_at = FIRST_VISIT + timedelta(days=day)
            closing = BlockHall(
                studio_id=DEMO_STUDIO_ID, customer_id=None, hall_id=self.hall_id, blackout_id=blackout_id,
                starts_at=starts_at, ends_at=starts_at + 10 * HOUR, note="paint",
            )  # fmt: skip
            self._applied.apply(closing, "staff:test")
        opening = UnblockHall(
            studio_id=DEMO_STUDIO_ID, customer_id=None, hall_id=self.hall_id, blackout_id=blackouts[0]
        )
        self._applied.apply(opening, "staff:test")

    # ---------------------------------------------------------------- steps

    @contextmanager
    def _later(self, by: timedelta) -> Iterator[None]:
        for seconds in (int(by.total_seconds()) + 1, 0):
            with self._applied.engine.begin() as connection:
                set_clock_offset(connection, DEMO_STUDIO_ID, seconds)
            if seconds:
                yield

    def _named(self, booking_id: UUID) -> dict[str, UUID]:
        return {"studio_id": DEMO_STUDIO_ID, "customer_id": self.customer_id, "booking_id": booking_id}

    def _offer(self, day: float, hours: int = 2, *, extras: int = 0, hall_id: UUID | None = None) -> Offer:
        starts_at = FIRST_VISIT + timedelta(days=day)
        lines = [InvoiceLine(description="Red", quantity=hours, unit_amount_minor=HOUR_MINOR)]
        if extras:
            lines.append(InvoiceLine(description="Amp", quantity=extras, unit_amount_minor=5_000))
        return Offer(
            hall_id=hall_id or self.hall_id, starts_at=starts_at, ends_at=starts_at + hours * HOUR, people=3,
            extras=(ExtraWanted(extra_id=self.extra_id, quantity=extras),) if extras else (),
            lines=tuple(lines), terms=TERMS,
        )  # fmt: skip

    def _held(self, day: float, *, extras: int = 0) -> UUID:
        booking_id = new_id()
        offer = self._offer(day, extras=extras)
        self._applied.apply(HoldBooking(**self._named(booking_id), offer=offer, origin="staff"), "staff:test")
        return booking_id

    def _checked_out(self, booking_id: UUID) -> UUID:
        invoice_id = new_id()
        checking_out = CheckOutBooking(
            **self._named(booking_id), invoice_id=invoice_id, payment="online", origin="customer"
        )
        self._applied.apply(checking_out)
        return invoice_id

    def _page(self, invoice_id: UUID) -> UUID:
        attempt_id = new_id()
        self._applied.apply(
            StartPayment(
                studio_id=DEMO_STUDIO_ID, customer_id=self.customer_id, attempt_id=attempt_id,
                invoice_id=invoice_id, provider_account_id=DEMO_PROVIDER_ACCOUNT_ID, method="widget",
                return_url="http://localhost/",
            )
        )  # fmt: skip
        return attempt_id

    def _admit(self, attempt_id: UUID) -> None:
        with self._applied.engine.begin() as connection:
            connection.execute(_ADMIT, {"id": new_id(), "attempt_id": attempt_id})

    def _pay(self, attempt_id: UUID, invoice_id: UUID, amount_minor: int) -> None:
        transaction_id = str(5_000 + len(self.transactions))
        self.transactions.append((transaction_id, "capture", amount_minor))
        self._applied.apply(
            RecordPaymentOutcome(
                studio_id=DEMO_STUDIO_ID, customer_id=self.customer_id, payment_id=new_id(),
                attempt_id=attempt_id, invoice_id=invoice_id, subscription_id=None,
                provider_account_id=DEMO_PROVIDER_ACCOUNT_ID, outcome="succeeded",
                transaction_id=transaction_id, amount_minor=amount_minor, currency="RUB",
            ),
            "callback:test",
        )  # fmt: skip

    def _paid(self, day: int) -> UUID:
        booking_id = self._held(day)
        invoice_id = self._checked_out(booking_id)
        self._pay(self._page(invoice_id), invoice_id, 2 * HOUR_MINOR)
        return booking_id

    def _give_back(self) -> None:
        """The provider does what was sent to it."""
        with self._applied.engine.connect() as connection:
            sent = connection.execute(_SENT, {"customer_id": self.customer_id}).all()
        assert sent, "nothing goes back"
        for refund in sent:
            self._applied.call("refund", 1, refund_id=refund.id)
            transaction_id = str(5_000 + len(self.transactions))
            self.transactions.append((transaction_id, "refund", refund.amount_minor))
            self._applied.apply(
                RecordRefundOutcome(
                    studio_id=DEMO_STUDIO_ID, customer_id=self.customer_id, refund_id=refund.id,
                    payment_id=refund.provider_payment_id, invoice_id=refund.invoice_id,
                    provider_account_id=DEMO_PROVIDER_ACCOUNT_ID, outcome="succeeded",
                    provider_refund_id=transaction_id, amount_minor=refund.amount_minor, currency="RUB",
                ),
                "task:test",
            )  # fmt: skip


_ADMIT = text("""
    INSERT INTO check_admission (id, studio_id, provider_account_id, invoice_id, attempt_id, transaction_id,
        admitted_at)
    SELECT :id, studio_id, provider_account_id, invoice_id, id, '5999', clock_timestamp()
    FROM payment_attempt WHERE id = :attempt_id
""")
_SENT = text("""
    SELECT id, provider_payment_id, invoice_id, amount_minor FROM refund
    WHERE customer_id = :customer_id AND state = 'sent' ORDER BY id
""")
