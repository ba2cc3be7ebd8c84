"""Prices over time, pure: which version is in force, where a new one may begin, and whom it reaches.

The rule for renewals is here and nowhere else: a billing period that begins at an instant costs what the
version in force at that instant says, among the versions of the subscription's plan and billing period. So
a new version reaches a subscription with the first period that begins at or after its `effective_from`, and
what has been paid for runs to its end. Called by the admin before a price is set, and by whatever renews.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

from billing.periods import PeriodUnit, period_end
from kit.errors import Refused

# How far a price may be set ahead.
DAYS_AHEAD_LIMIT: Final = 3 * 366
# Periods from now until then, at most: one day each.
_STEPS_LIMIT: Final = DAYS_AHEAD_LIMIT + 366


class Versioned(Protocol):
    """What the choice between versions looks at."""

    @property
    def version(self) -> int: ...

    @property
    def effective_from(self) -> datetime: ...


SomeVersion = TypeVar("SomeVersion", bound=Versioned)


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One version of what a plan costs for one billing period."""

    version: int
    amount_minor: int
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """`count` active subscriptions whose billing period ends at `ends_at`."""

    ends_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Renewals:
    """How many subscriptions would renew at a version, the first of them when, and what all of them together
    would pay more per billing period than without it, minor units (less: negative)."""

    count: int
    first_at: datetime | None
    difference_minor: int


def find_in_force(versions: Iterable[SomeVersion], at: datetime) -> SomeVersion | None:
    """The version that began last, at `at` or before; of two that began together the later one."""
    begun = [version for version in versions if version.effective_from <= at]
    return max(begun, key=lambda version: (version.effective_from, version.version), default=None)


def decide_effective_from(on: date | None, now: datetime, timezone: str) -> datetime:
    """The start of that day on the studio's calendar; today and None mean at once.

    Raises Refused: `price_date_past`, `price_date_too_far`.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    if on is None or on == today:
        return now
    if on < today:
        raise Refused("price_date_past", today=today.isoformat())
    if (on - today).days > DAYS_AHEAD_LIMIT:
        raise Refused("price_date_too_far", days_limit=DAYS_AHEAD_LIMIT)
    return datetime.combine(on, time(), ZoneInfo(timezone)).astimezone(now.tzinfo)


def decide_version(
    versions: Sequence[PriceVersion], amount_minor: int, effective_from: datetime
) -> PriceVersion:
    """The version to add. Versions are never edited, and two never begin together.

    Raises Refused: `price_date_taken`, or `price_unchanged` when that is the price then anyway.
    """
    taken = next((each for each in versions if each.effective_from == effective_from), None)
    if taken is not None:
        raise Refused("price_date_taken", version=taken.version, amount_minor=taken.amount_minor)
    before = find_in_force(versions, effective_from)
    if before is not None and before.amount_minor == amount_minor:
        raise Refused("price_unchanged", version=before.version, amount_minor=amount_minor)
    return PriceVersion(max((each.version for each in versions), default=0) + 1, amount_minor, effective_from)


def foresee_renewals(
    endings: Iterable[Ending],
    versions: Sequence[PriceVersion],
    new: PriceVersion,
    unit: PeriodUnit,
    period_count: int,
    timezone: str,
) -> Renewals:
    """Whom `new` would reach, by the rule for renewals.

    `endings` are of the active subscriptions of this plan and billing period. One that does not renew before
    another version follows `new` never pays it.
    """
    count, first_at, difference_minor = 0, None, 0
    for ending in endings:
        renews_at = _first_period_after(ending.ends_at, new.effective_from, unit, period_count, timezone)
        if find_in_force([*versions, new], renews_at) != new:
            continue
        former = find_in_force(versions, renews_at)
        count += ending.count
        difference_minor += ending.count * (new.amount_minor - (former.amount_minor if former else 0))
        first_at = renews_at if first_at is None else min(first_at, renews_at)
    return Renewals(count, first_at, difference_minor)


def _first_period_after(
    ends_at: datetime, at: datetime, unit: PeriodUnit, period_count: int, timezone: str
) -> datetime:
    """The first beginning of a period at `at` or later, when one ends at `ends_at`. Each follows the last."""
    for _ in range(_STEPS_LIMIT):
        if ends_at >= at:
            break
        ends_at = period_end(ends_at, unit, period_count, timezone)
    return ends_at
