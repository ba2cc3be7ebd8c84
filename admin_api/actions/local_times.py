"""Times as a person writes them, by the studio's clock: `2026-12-05 10:00`.

Called by the actions on bookings and halls, and by forms that begin with a time. A time that the clocks leave
out is a fault of its field; one that they show twice needs its offset, `2026-10-25 02:30+02:00`.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from admin_api.actions.action import widget
from booking.rules.calendar import Span
from web.problems import Problem, invalid

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199
LENGTH_LIMIT: Final = 40
_WRITTEN: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T]+(\d{1,2}):(\d{2})(?::00(?:\.0+)?)?\s*(Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_DAY_END: Final = 24


def _checked(typed: str) -> str:
    try:
        _parts(typed)
    except ValueError:
        raise PydanticCustomError("not_a_time", "a time such as 2026-12-05 10:00") from None
    return typed


LocalTime = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=LENGTH_LIMIT),
    AfterValidator(_checked),
    Field(
        json_schema_extra=widget("local_time"),
        description="By the studio's clock, unless it has an offset.",
        examples=["2026-12-05 10:00"],
    ),
]


def read_span(timezone: str, starts_at: str, ends_at: str) -> Span:
    """Two checked times as the instants that they are. Raises Problem 422 that names the field."""
    starts, ends = read_local(timezone, starts_at, "starts_at"), read_local(timezone, ends_at, "ends_at")
    if ends <= starts:
        raise invalid(("body.ends_at", "ends_before_it_starts"))
    return Span(starts, ends)


def read_local(timezone: str, typed: str, field: str) -> datetime:
    """The instant, in UTC.

    Raises Problem 422: `time_does_not_exist`, or `time_exists_twice` with both ways to write it.
    """
    local, offset = _parts(typed)
    if offset is not None:
        return (local - offset).replace(tzinfo=UTC)
    instants = _instants(timezone, local)
    if not instants:
        raise invalid((f"body.{field}", "time_does_not_exist"))
    if len(instants) > 1:
        first, second = (_written(timezone, at, is_offset_shown=True) for at in instants)
        fault = {"at": f"body.{field}", "fault": "time_exists_twice"}
        raise Problem(422, "time_exists_twice", errors=[fault], first=first, second=second)
    return instants[0]


def write_local(timezone: str, at: datetime) -> str:
    """What `read_local` reads; with its offset only where it is needed."""
    local = at.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    return _written(timezone, at, is_offset_shown=len(_instants(timezone, local)) > 1)


def _written(timezone: str, at: datetime, *, is_offset_shown: bool) -> str:
    written = at.astimezone(ZoneInfo(timezone)).isoformat(" ", "minutes")
    return written if is_offset_shown else written[: len("2026-12-05 10:00")]


def _instants(timezone: str, local: datetime) -> list[datetime]:
    """When the clock shows it, in order: once, never or twice."""
    zone = ZoneInfo(timezone)
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in found if at.astimezone(zone).replace(tzinfo=None) == local)


def _parts(typed: str) -> tuple[datetime, timedelta | None]:
    """The time on the clock and the offset, if it has one. Raises ValueError."""
    found = _WRITTEN.fullmatch(typed)
    if found is None:
        raise ValueError(typed)
    day, hour, minute = date.fromisoformat(found[1]), int(found[2]), int(found[3])
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(typed)
    # A day ends at 24:00, which is where the next one begins.
    days, hour = (1, 0) if (hour, minute) == (_DAY_END, 0) else (0, hour)
    return datetime.combine(day + timedelta(days=days), time(hour, minute)), _offset(found[4])


def _offset(written: str | None) -> timedelta | None:
    if written is None or written == "Z":
        return None if written is None else timedelta()
    size = timedelta(hours=int(written[1:3]), minutes=int(written[4:]))
    if size >= timedelta(days=1):
        raise ValueError(written)
    return -size if written[0] == "-" else size
