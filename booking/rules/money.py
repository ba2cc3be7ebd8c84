"""What canceling a booking, or moving it, does to its money.

Called by the updater when it is done, and by the APIs to say it beforehand; all of them count with these.
Sums are minor units of the studio's currency. No refund is made here, and no invoice drawn.
"""

from dataclasses import dataclass

from kit.errors import Refused


@dataclass(frozen=True, slots=True)
class BookingMoney:
    """What a booking costs, and what its invoices have brought: `paid_minor`, of which `returned_minor` went
    back or is on its way, `moved_back_minor` of that for moves to cheaper times; what was only asked for and
    not decided on does not count. `unpaid_minor` is the total of the invoice that is still open."""

    total_minor: int
    paid_minor: int
    returned_minor: int
    unpaid_minor: int
    moved_back_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What the studio has of it; somebody may be giving more back than there is."""
        return max(0, self.paid_minor - self.returned_minor)

    @property
    def charged_minor(self) -> int:
        """What was paid for the times that it has had: what went back for a move was for none of them."""
        return self.paid_minor - self.moved_back_minor


def to_give_back(money: BookingMoney, percent: int) -> int:
    """How much a cancellation that gives `percent` back still has to return.

    What is kept is `(100 - percent) / 100` of the booking's total, as far as that is paid, rounded half up to
    whole minor units. Never negative.
    """
    kept_minor = (min(money.total_minor, money.charged_minor) * (100 - percent) + 50) // 100
    return max(0, money.left_minor - kept_minor)


def to_charge(money: BookingMoney, new_total_minor: int) -> int:
    """How much a move to a time that costs `new_total_minor` leaves to be paid; below zero, to be given back.

    What is unpaid of an earlier move is taken back, and what expired unpaid is still owed: one invoice is
    drawn at most, over all that is missing.
    """
    covered_minor = min(money.total_minor - money.unpaid_minor, money.charged_minor)
    return new_total_minor - covered_minor


def check_move_by_customer(money: BookingMoney, missing_minor: int, percent: int) -> None:
    """Nothing, if a customer may move what is paid online now to where `missing_minor`, as `to_charge` says,
    is left to be paid.

    `percent` is what canceling would give back: with less than all of it, moving to next to nothing first
    would be the cheaper way to cancel. More than is paid and left is not asked for afterwards: the cheapest
    time would be the way to have any other and pay at the visit, if at all.
    Raises Refused: too_late_to_pay_less, surcharge_too_large.
    """
    if missing_minor < 0 and percent < 100:
        raise Refused("too_late_to_pay_less", refund_percent=percent)
    if missing_minor > money.left_minor:
        raise Refused("surcharge_too_large", surcharge_minor=missing_minor, paid_minor=money.left_minor)
