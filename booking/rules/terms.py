"""The terms of cancellation that a booking was made with, and the percent that follows from them.

Called by the updater when a booking is canceled, and by the APIs to say it beforehand; the sum is `money`'s.
Whether a booking may be canceled at all is the machine's and the command's.
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


def refund_percent(terms: Sequence[Tier], starts_at: datetime, now: datetime, percent_max: int) -> int:
    """The percent of what was paid that goes back when a booking is canceled now.

    `terms` are sorted as `read_terms` leaves them: the first tier whose hours are left applies. After the
    last one, and once the booking has started, nothing goes back. Never more than `percent_max`: who moved a
    booking when little would have gone back has not made it free to cancel.
    """
    left = starts_at - now
    for tier in terms:
        if left >= timedelta(hours=tier.hours_before):
            return min(tier.refund_percent, percent_max)
    return 0
