"""Filters of the lists: what a parameter's value means as a condition. Called by `Listing`, never elsewhere.

A value is never put into SQL as text: it is read as its kind, and bound.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.queries.ids import find_uuid
from admin_api.walls import GuardedSession
from models.tables import ClockOffset, Studio
from web.problems import Problem, invalid
from web.strict import UnstorableText, storable

TEXT_LENGTH_LIMIT: Final = 200
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199
# Keys are made in the order of time where a request begins; the row follows when its command is applied. What
# waited for longer than this is not found by its date; and clocks of two machines may differ by a day.
ROW_AFTER_KEY_MAX: Final = timedelta(days=31)
KEY_AFTER_ROW_MAX: Final = timedelta(days=1)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

Kind = Literal["choice", "uuid", "date_from", "date_to", "flag", "text"]


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter of a list.

    A date is a day of the studio, both ends included. A flag asks of a column that is no boolean whether it
    is set. `key`: the column of time-ordered keys through which a date is found, where no index has the
    date itself. `condition` replaces the comparison with `column`. `is_selective`: an index leads to few
    rows.
    """

    name: str
    column: InstrumentedAttribute[Any]
    kind: Kind
    choices: tuple[str, ...] = ()
    key: InstrumentedAttribute[Any] | None = None
    condition: Callable[[GuardedSession, Any], ColumnElement[bool]] | None = None
    is_selective: bool = False


@dataclass(frozen=True, slots=True)
class Filtered:
    conditions: Sequence[ColumnElement[bool]]
    is_selective: bool


def created_between(
    column: InstrumentedAttribute[datetime], key: InstrumentedAttribute[UUID]
) -> tuple[Filter, ...]:
    """The two filters of rows whose keys are in the order of time."""
    return (
        Filter("created_from", column, "date_from", key=key),
        Filter("created_to", column, "date_to", key=key),
    )


def conditions_of(session: GuardedSession, filters: Sequence[Filter], values: Mapping[str, str]) -> Filtered:
    """Raises Problem 422 for a name that is none of the filters', and a value that is not of its kind."""
    known = {one.name: one for one in filters}
    if values.keys() - known.keys():
        raise invalid(("query", "unknown_filter"))
    calendar = _Calendar(session)
    conditions: list[ColumnElement[bool]] = []
    for name, value in values.items():
        conditions += _conditions(session, calendar, known[name], value)
    return Filtered(conditions, any(known[name].is_selective for name in values))


class _Calendar:
    """The studio's time zone, and how far its clock is ahead; asked for when a date is first given."""

    def __init__(self, session: GuardedSession) -> None:
        self._session = session

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self._session.scalars(select(Studio.timezone)).one())

    @cached_property
    def has_own_clock(self) -> bool:
        return self._session.scalars(select(ClockOffset.studio_id)).first() is not None


def _conditions(
    session: GuardedSession, calendar: _Calendar, one: Filter, value: str
) -> list[ColumnElement[bool]]:
    if one.kind in ("date_from", "date_to"):
        return _date_conditions(calendar, one, value)
    meant = _VALUES[one.kind](one, value)
    if one.condition is not None:
        return [one.condition(session, meant)]
    if one.kind == "flag" and not isinstance(one.column.type, Boolean):
        return [one.column.is_not(None) if meant else one.column.is_(None)]
    return [one.column.is_(meant) if one.kind == "flag" else one.column == meant]


def _date_conditions(calendar: _Calendar, one: Filter, value: str) -> list[ColumnElement[bool]]:
    day = _day(one, value)
    is_from = one.kind == "date_from"
    midnight = datetime.combine(day if is_from else day + timedelta(days=1), time(), calendar.zone)
    at = midnight.astimezone(UTC)
    conditions = [one.column >= at if is_from else one.column < at]
    # A studio that lives at another time dates its rows by it, and its keys by ours.
    if one.key is not None and not calendar.has_own_clock:
        edge = _key_at(at - ROW_AFTER_KEY_MAX if is_from else at + KEY_AFTER_ROW_MAX)
        conditions.append(one.key >= edge if is_from else one.key < edge)
    return conditions


def _key_at(at: datetime) -> UUID:
    """The least UUIDv7 of that millisecond."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _day(one: Filter, value: str) -> date:
    try:
        if not _DATE.fullmatch(value):
            raise ValueError(value)
        day = date.fromisoformat(value)
    except ValueError:
        raise _not_a("date", one) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _not_a("date", one)
    return day


def _choice(one: Filter, value: str) -> str:
    if value not in one.choices:
        raise _not_a("choice", one)
    return value


def _uuid(one: Filter, value: str) -> UUID:
    found = find_uuid(value)
    if found is None:
        raise _not_a("uuid", one)
    return found


def _flag(one: Filter, value: str) -> bool:
    if value not in ("true", "false"):
        raise _not_a("flag", one)
    return value == "true"


def _text(one: Filter, value: str) -> str:
    try:
        if len(value) > TEXT_LENGTH_LIMIT:
            raise UnstorableText
        return storable(value)
    except UnstorableText:
        raise _not_a("text", one) from None


_VALUES: Final[Mapping[str, Callable[[Filter, str], object]]] = {
    "choice": _choice,
    "uuid": _uuid,
    "flag": _flag,
    "text": _text,
}


def _not_a(kind: str, one: Filter) -> Problem:
    return invalid((f"query.{one.name}", f"not_a_{kind}"))
