"""What a cancellation gives back: the terms that a booking was made with, and the sum that follows.

Called by the updater when a booking is canceled, and by the APIs to say it beforehand. Whether a booking may
be canceled at all is the machine's and the command's; no refund is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from booking.rules.reading import each_rule

TERMS_LIMIT = 10
HOURS_BEFORE_MAX = 8_760


@dataclass(frozen=True, slots=True)
class Tier:
    """Canceled at least `hours_before` the start, `refund_percent` of what was paid goes back."""

    hours_before: int
    refund_percent: int


def read_terms(rules: object) -> tuple[Tier, ...]:
    """The terms in a JSON list `[{"hours_before": 48, "refund_percent": 100}, ...]`, the longest first.

    Raises: `ValueError` in words for the admin.
    """
    tiers: dict[int, Tier] = {}
    for fields in each_rule("terms", rules, ("hours_before", "refund_percent"), TERMS_LIMIT):
        hours = fields.whole("hours_before", 0, HOURS_BEFORE_MAX)
        if hours in tiers:
            raise fields.fault("hours_before", "expected different hours in each tier")
        tiers[hours] = Tier(hours, fields.whole("refund_percent", 0, 100))
    return tuple(tiers[hours] for hours in sorted(tiers, reverse=True))


def refund_percent(terms: Sequence[Tier], starts_at: datetime, now: datetime) -> int:
    """The percent of what was paid that goes back when a booking is canceled now.

    `terms` are sorted as `read_terms` leaves them: the first tier whose hours are left applies. After the
    last one, and once the booking has started, nothing goes back.
    """
    left = starts_at - now
    for tier in terms:
        if left >= timedelta(hours=tier.hours_before):
            return tier.refund_percent
    return 0


def to_give_back(total_minor: int, paid_minor: int, returned_minor: int, percent: int) -> int:
    """How much is still to be given back of `paid_minor`, of which `returned_minor` went back before.

    What is kept is `(100 - percent) / 100` of the booking's total, as far as that is paid, rounded half up to
    whole minor units: who moved to a cheaper time has paid more than that, and it went back. Never negative.
    """
    kept_minor = (min(total_minor, paid_minor) * (100 - percent) + 50) // 100
    return max(0, paid_minor - kept_minor - returned_minor)
