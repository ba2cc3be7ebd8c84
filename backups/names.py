"""What a backup is called, and which ones have had their day.

Called by taking and by the command line. Pure: it sees names, never files.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_NAME = re.compile(r"billbus-(\d{8}T\d{6}Z)", re.ASCII)
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Keep:
    """Of how many days, weeks and months the newest backup is kept. Days without a backup do not count, so
    backups that are no longer taken do not use up the old ones."""

    daily: int
    weekly: int
    monthly: int


def name_of(taken_at: datetime) -> str:
    """`billbus-20261121T030000Z`: to the second, in UTC."""
    return f"billbus-{taken_at.astimezone(UTC):{_TIME}}"


def find_taken_at(name: str) -> datetime | None:
    """When the backup of this name was taken; None if it is not the name of one."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def choose_expired(names: Iterable[str], keep: Keep) -> list[str]:
    """The backups among `names` that nothing keeps, oldest first. Never the newest, never a name it cannot
    read."""
    taken = sorted((at, name) for name in names if (at := find_taken_at(name)) is not None)
    kept = {name for _, name in taken[-1:]}
    for period_of, count in ((_day, keep.daily), (_week, keep.weekly), (_month, keep.monthly)):
        kept |= _newest_of_each(taken, period_of, count)
    return [name for _, name in taken if name not in kept]


def _newest_of_each(
    taken: list[tuple[datetime, str]], period_of: Callable[[datetime], tuple[int, ...]], count: int
) -> set[str]:
    newest = {period_of(at): name for at, name in taken}
    periods = sorted(newest)[len(newest) - min(count, len(newest)) :]
    return {newest[period] for period in periods}


def _day(at: datetime) -> tuple[int, ...]:
    return at.year, at.month, at.day


def _week(at: datetime) -> tuple[int, ...]:
    return at.isocalendar()[:2]


def _month(at: datetime) -> tuple[int, ...]:
    return at.year, at.month
