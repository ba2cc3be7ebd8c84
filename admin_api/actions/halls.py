"""Halls: made, described, given their hours, put on and off sale. Direct writes; no booking changes by it."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from admin_api.actions.action import Action, ActionRequest, Done, widget
from admin_api.actions.direct import Change, changed, made_id, write_once
from admin_api.actions.fields import Flag, Line, LongText
from admin_api.desk import Desk
from booking.rules.availability import BUFFER_MINUTES_MAX
from booking.rules.calendar import read_hours
from bus.messages import People
from kit.errors import Refused
from storage import halls
from web.fields import Body
from web.problems import invalid

EQUIPMENT_LIMIT: Final = 50

Rules = list[dict[str, JsonValue]]


def ruled(read: Callable[[Any], object]) -> AfterValidator:
    """A field that `read` must be able to read. What it says names the rule and its field: the fault."""

    def check(rules: Rules) -> Rules:
        try:
            read(rules)
        except ValueError as error:
            words = str(error)
            raise PydanticCustomError(words, words) from None
        return rules

    return AfterValidator(check)


Hours = Annotated[
    Rules,
    Field(
        min_length=1,
        json_schema_extra=widget("hours"),
        description="Rules of weekdays (1 is Monday) and times of the local day; `from` and `until` make one "
        "seasonal. On a date that any seasonal rule covers, only seasonal rules count.",
        examples=[[{"weekdays": [1, 2, 3, 4, 5], "opens": "10:00", "closes": "22:00"}]],
    ),
    ruled(read_hours),
]
Equipment = Annotated[tuple[Line, ...], Field(max_length=EQUIPMENT_LIMIT, json_schema_extra=widget("lines"))]
Step = Annotated[int, Field(strict=True, description="Minutes: 5, 10, 15, 20, 30 or 60.")]
Length = Annotated[int, Field(strict=True, ge=5, le=1_440)]
Buffer = Annotated[int, Field(strict=True, ge=0, le=BUFFER_MINUTES_MAX)]
Notice = Annotated[int, Field(strict=True, ge=0, le=43_200)]
Horizon = Annotated[int, Field(strict=True, ge=1, le=730)]
Position = Annotated[int, Field(strict=True, ge=-1_000, le=1_000)]

_STEPS: Final = frozenset({5, 10, 15, 20, 30, 60})


class NewHall(Body):
    """Nobody can book it before it has a tariff. Lengths, buffers and notice are minutes."""

    name: Line
    description: LongText = ""
    capacity: People
    equipment: Equipment = ()
    hours: Hours
    step_minutes: Step = 15
    minutes_min: Length = 60
    minutes_max: Length = 720
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    notice_minutes: Notice = 60
    horizon_days: Horizon = 90
    position: Position = 0


class ChangedHall(Body):
    """What is not given stays as it is. An inactive hall is not for sale; who has booked it keeps it."""

    name: Line | None = None
    description: LongText | None = None
    capacity: People | None = None
    equipment: Equipment | None = None
    step_minutes: Step | None = None
    minutes_min: Length | None = None
    minutes_max: Length | None = None
    buffer_before_minutes: Buffer | None = None
    buffer_after_minutes: Buffer | None = None
    notice_minutes: Notice | None = None
    horizon_days: Horizon | None = None
    position: Position | None = None
    is_active: Flag | None = None


class NewHours(Body):
    """All the hours of a hall; what is not there any more is closed from now on."""

    hours: Hours


def _check_lengths(columns: Mapping[str, Any]) -> None:
    """Raises Problem 422: the step, the shortest and the longest booking must fit each other."""
    step, shortest, longest = (columns[name] for name in ("step_minutes", "minutes_min", "minutes_max"))
    if step not in _STEPS:
        raise invalid(("body.step_minutes", "not_a_step"))
    if shortest % step:
        raise invalid(("body.minutes_min", "off_step"))
    if longest % step:
        raise invalid(("body.minutes_max", "off_step"))
    if longest < shortest:
        raise invalid(("body.minutes_max", "less_than_shortest"))


def _create(desk: Desk, sent: ActionRequest, _subject_id: None, body: NewHall) -> Done:
    columns = body.model_dump()
    _check_lengths(columns)
    hall_id = made_id(desk, sent, "hall")

    def write(connection: Connection) -> Change:
        try:
            halls.create_hall(connection, halls.NewHall(id=hall_id, studio_id=desk.studio_id, **columns))
        except IntegrityError as error:
            raise Refused("hall_name_taken") from error
        return Change(after=columns)

    write_once(desk, sent, "create_hall", hall_id, write)
    return Done(subject_id=hall_id)


def _change(desk: Desk, sent: ActionRequest, hall_id: UUID, body: ChangedHall) -> Done:
    return _write(desk, sent, "change_hall", hall_id, body)


def _set_hours(desk: Desk, sent: ActionRequest, hall_id: UUID, body: NewHours) -> Done:
    return _write(desk, sent, "set_hours", hall_id, body)


def _write(
    desk: Desk, sent: ActionRequest, action: Literal["change_hall", "set_hours"], hall_id: UUID, body: Body
) -> Done:
    def write(connection: Connection) -> Change:
        before = halls.get_hall(connection, hall_id, lock=True)
        given = body.model_dump(exclude_none=True)
        after = before | {
            name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
        }
        _check_lengths(after)
        try:
            halls.change_hall(connection, hall_id, after)
        except IntegrityError as error:
            raise Refused("hall_name_taken") from error
        return changed(before, after)

    write_once(desk, sent, action, hall_id, write)
    return Done(subject_id=hall_id)


def _as_it_is(connection: Connection, hall_id: UUID) -> dict[str, JsonValue]:
    return halls.get_hall(connection, hall_id)


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="create_hall",
        permission="catalog.write",
        path="/halls",
        subject=None,
        body=NewHall,
        run=_create,
        summary="A new hall, without a tariff yet",
    ),
    Action(
        name="change_hall",
        permission="catalog.write",
        path="/halls/{subject_id}",
        subject="halls",
        body=ChangedHall,
        run=_change,
        initial=_as_it_is,
        summary="Rename, describe, change the rules, put on or off sale",
    ),
    Action(
        name="set_hours",
        permission="catalog.write",
        path="/halls/{subject_id}/hours",
        subject="halls",
        body=NewHours,
        run=_set_hours,
        initial=_as_it_is,
        summary="When it is open, by weekday and season",
    ),
)
