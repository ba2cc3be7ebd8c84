"""Commands about what is there, drawn at random: many come too late, and some make no sense.

Called by `walks`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.payments import received_payment_id
from bus.messages import CancellationTier, Command, Offer, RecordPaymentOutcome
from kit.ids import new_id
from tests.integration.state_updater.shops import Row
from tests.integration.state_updater.stages import Stage

TERMS = (
    (
        CancellationTier(hours_before=48, refund_percent=100),
        CancellationTier(hours_before=24, refund_percent=50),
    ),
    (CancellationTier(hours_before=24, refund_percent=33),),
    (),
)
CUSTOMERS = 3

Draw = Callable[[], Command | None]


@dataclass(frozen=True)
class Seen:
    """What there is of a studio: rows of ids, states and sums."""

    bookings: list[Row]
    invoices: list[Row]
    attempts: list[Row]
    refunds: list[Row]
    payments: list[Row]
    blackouts: list[Row]


_QUESTIONS = {
    "bookings": "id, customer_id, state FROM booking",
    "invoices": "id, customer_id, state FROM invoice",
    "attempts": "id, customer_id, invoice_id, amount_minor, state FROM payment_attempt",
    "refunds": "id, customer_id, invoice_id, provider_payment_id, amount_minor, state FROM refund",
    "payments": "id, (SELECT customer_id FROM payment_attempt a WHERE a.id = attempt_id), invoice_id,"
    " amount_minor, transaction_id FROM provider_payment",
    "blackouts": "id, hall_id, kind FROM occupancy",
}


def look(stage: Stage) -> Seen:
    return Seen(
        **{
            name: stage.rows(f"SELECT {asked} WHERE studio_id = :studio ORDER BY id")
            for name, asked in _QUESTIONS.items()
        }
    )


class Draws:
    """Draws for one studio, whose halls, extras and customers are made here."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._random = chance
        self._customers = [stage.customer_id, *(stage.add_customer() for _ in range(CUSTOMERS - 1))]
        self._halls = [stage.hall_id, new_id()]
        stage.add_hall(self._halls[1], before=30, after=15)
        self._extras = [stage.add_extra(2), stage.add_extra(None), stage.add_extra(1, stage.hall_id)]
        self._monies: list[RecordPaymentOutcome] = []
        self._transactions = 0

    def draw(self, seen: Seen, now: datetime) -> Command | None:
        """None where there is nothing that it could be about."""
        self._seen, self._now = seen, now
        draws: list[tuple[int, Draw]] = [
            (14, self._hold),
            (14, self._check_out),
            (14, self._start),
            (20, self._outcome),
            (7, self._expire),
            (24, self._move),
            (6, self._cancel),
            (2, self._finish),
            (2, self._block),
            (2, self._unblock),
            (6, self._close_invoice),
            (3, self._request),
            (3, self._decide),
            (8, self._refund_outcome),
            (2, self._cabinet),
        ]
        weights = [weight for weight, _ in draws]
        return self._random.choices([draw for _, draw in draws], weights)[0]()

    def _one(self, rows: Sequence[Row], *states: str, at: int = 2, latest: int = 12) -> Row | None:
        """Mostly the last ones, mostly in one of the states."""
        fitting = [row for row in rows if row[at] in states] if self._random.random() < 0.9 else rows
        return self._random.choice(fitting[-latest:]) if fitting else None

    def _origin(self) -> str:
        return self._random.choice(("customer", "customer", "staff"))

    def _offer(self) -> Offer:
        hours = (self._now - self._stage.day) / timedelta(hours=1)
        start = max(0, int(hours)) + self._random.choice((0, 0, 1, 2, 5, 20, 30, 50, 60))
        start += self._random.choice((0, 0, 0.5))
        extras = {extra: self._random.randint(1, 2) for extra in self._extras if self._random.random() < 0.2}
        return self._stage.offer_of(
            start,
            start + self._random.choice((0.5, 1, 2, 3)),
            self._random.choice((99, 90_000, 90_000, 150_000, 150_000, 200_001)),
            extras,
            hall_id=self._random.choice(self._halls),
            terms=self._random.choice(TERMS),
        )

    def _hold(self) -> Command:
        customer_id = self._random.choice(self._customers)
        return self._stage.hold(new_id(), self._offer(), origin=self._origin(), customer_id=customer_id)

    def _check_out(self) -> Command | None:
        booking = self._one(self._seen.bookings, "held")
        if booking is None:
            return None
        payment = self._random.choice(("online", "online", "online", "on_site"))
        return self._stage.check_out(
            booking[0], origin=self._origin(), payment=payment, customer_id=booking[1]
        )

    def _start(self) -> Command | None:
        invoice = self._one(self._seen.invoices, "open")
        if invoice is None:
            return None
        method = self._random.choice(("widget", "widget", "link"))
        return self._stage.start(new_id(), invoice[0], method, customer_id=invoice[1])

    def _outcome(self) -> Command | None:
        if self._monies and self._random.random() < 0.05:
            return self._random.choice(self._monies)
        attempt = self._one(
            self._seen.attempts, "sent", "requires_action", "pending", "unknown", "canceled", at=4
        )
        if attempt is None:
            return None
        attempt_id, customer_id, invoice_id, amount_minor, _ = attempt
        name = self._random.choices(
            ("succeeded", "declined", "unknown", "pending", "requires_action", "not_sent"),
            (12, 3, 2, 2, 2, 1),
        )[0]
        if name != "succeeded":
            changes: dict[str, Any] = {"customer_id": customer_id}
            if name == "declined" and self._random.random() < 0.7:
                changes["transaction_id"] = self._transaction(attempt_id)
            return self._stage.outcome(name, attempt_id, invoice_id, **changes)
        amount_minor += self._random.choice((0, 0, 0, 0, 0, 0, 0, 0, 1))
        currency = self._random.choice(("RUB",) * 12 + ("EUR",))
        money = self._stage.paid_for(
            attempt_id,
            invoice_id,
            transaction_id=self._transaction(attempt_id),
            amount_minor=amount_minor,
            currency=currency,
            customer_id=customer_id,
        )
        self._monies = [*self._monies, money][-20:]
        return money

    def _transaction(self, attempt_id: UUID) -> str:
        """Mostly the one that was asked about."""
        if self._random.random() < 0.7:
            return f"of {attempt_id}"
        self._transactions += 1
        return f"{self._transactions} of {attempt_id}"

    def _expire(self) -> Command | None:
        booking = self._one(self._seen.bookings, "held", "awaiting_payment")
        return self._stage.expire_hold(booking[0], customer_id=booking[1]) if booking else None

    def _move(self) -> Command | None:
        # Again and again the same ones.
        booking = self._one(self._seen.bookings[-20:], "confirmed", latest=3)
        if booking is None:
            return None
        return self._stage.move(booking[0], self._offer(), origin=self._origin(), customer_id=booking[1])

    def _cancel(self) -> Command | None:
        booking = self._one(self._seen.bookings, "held", "awaiting_payment", "confirmed")
        if booking is None:
            return None
        origin = self._origin()
        percent = self._random.choice((None, None, 0, 17, 50, 100)) if origin == "staff" else None
        return self._stage.let_go(booking[0], origin=origin, refund_percent=percent, customer_id=booking[1])

    def _finish(self) -> Command | None:
        booking = self._one(self._seen.bookings, "confirmed")
        if booking is None:
            return None
        if self._random.random() < 0.3:
            return self._stage.no_show(booking[0], customer_id=booking[1])
        origin = self._random.choice(("clock", "staff"))
        return self._stage.complete(booking[0], origin=origin, customer_id=booking[1])

    def _block(self) -> Command:
        offer = self._offer()
        return self._stage.block(
            new_id(), 0, 1, hall_id=offer.hall_id, starts_at=offer.starts_at, ends_at=offer.ends_at
        )

    def _unblock(self) -> Command | None:
        blackout = self._one(self._seen.blackouts, "blackout")
        return self._stage.unblock(blackout[0], hall_id=blackout[1]) if blackout else None

    def _close_invoice(self) -> Command | None:
        invoice = self._one(self._seen.invoices, "open")
        if invoice is None:
            return None
        close = self._random.choice((self._stage.void, self._stage.expire, self._stage.expire))
        return close(invoice[0], customer_id=invoice[1])

    def _request(self) -> Command | None:
        payment = self._random.choice(self._seen.payments[-12:]) if self._seen.payments else None
        if payment is None:
            return None
        amount_minor = payment[3]
        sum_minor = self._random.choice((1, amount_minor // 2 or 1, amount_minor))
        return self._stage.request(new_id(), self._money(payment), sum_minor, origin=self._origin())

    def _money(self, payment: Row) -> RecordPaymentOutcome:
        payment_id, customer_id, invoice_id, amount_minor, transaction_id = payment
        return self._stage.paid_for(
            None,
            invoice_id,
            transaction_id=transaction_id,
            payment_id=payment_id,
            amount_minor=amount_minor,
            customer_id=customer_id,
        )

    def _decide(self) -> Command | None:
        refund = self._one(self._seen.refunds, "requested", at=5)
        payment = self._payment_of(refund) if refund else None
        if refund is None or payment is None:
            return None
        decide = self._random.choice((self._stage.approve, self._stage.reject))
        return decide(refund[0], self._money(payment))

    def _payment_of(self, refund: Row) -> Row | None:
        return next((each for each in self._seen.payments if each[0] == refund[3]), None)

    def _refund_outcome(self) -> Command | None:
        refund = self._one(self._seen.refunds, "sent", "unknown", "declined", at=5)
        payment = self._payment_of(refund) if refund else None
        if refund is None or payment is None or refund[5] not in ("sent", "unknown", "declined"):
            return None
        outcome = self._random.choice(("succeeded", "succeeded", "succeeded", "declined", "unknown"))
        return self._stage.refunded(
            refund[0], self._money(payment), refund[4], outcome=outcome,
            provider_refund_id=f"back {refund[0]}",
        )  # fmt: skip

    def _cabinet(self) -> Command | None:
        """In the provider's cabinet, of money that was told of, or will be."""
        if self._seen.payments and self._random.random() < 0.7:
            money = self._money(self._random.choice(self._seen.payments[-12:]))
            if self._random.random() < 0.3:
                money = money.model_copy(update={"payment_id": None})
        elif self._seen.attempts:
            attempt = self._random.choice(self._seen.attempts[-12:])
            transaction_id = f"of {attempt[0]}"
            money = self._stage.paid_for(
                attempt[0], attempt[2], transaction_id=transaction_id, customer_id=attempt[1],
                amount_minor=attempt[3],
                payment_id=received_payment_id(self._stage.account_id, transaction_id),
            )  # fmt: skip
            money = money.model_copy(update={"payment_id": None})
        else:
            return None
        amount_minor = self._random.choice((1, money.amount_minor or 1))
        return self._stage.refunded(new_id(), money, amount_minor, provider_refund_id=str(new_id()))
