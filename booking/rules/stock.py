"""How many of an extra are out at one moment, among those lent over a time.

Called by the APIs before an offer is made and by the updater before a hold. How many there are in all is not
known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.rules.calendar import Span


@dataclass(frozen=True, slots=True)
class Use:
    """So many of one extra, for the whole of a time."""

    span: Span
    quantity: int


def most_in_use(uses: Sequence[Use], span: Span) -> int:
    """The most that are out at any one moment within `span`; what ends as another begins is back in time."""
    changes = []
    for use in uses:
        if use.span.starts_at < span.ends_at and use.span.ends_at > span.starts_at:
            changes.append((use.span.starts_at, use.quantity))
            changes.append((use.span.ends_at, -use.quantity))
    most = out = 0
    for _, change in sorted(changes):
        out += change
        most = max(most, out)
    return most
