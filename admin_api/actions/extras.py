"""Extras: what is lent beside a hall, and for how much. Direct writes; bookings keep what they have."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from admin_api.actions.action import Action, ActionRequest, Done, widget
from admin_api.actions.direct import Change, changed, made_id, write_once
from admin_api.actions.fields import AmountMinor, Flag, Line
from admin_api.desk import Desk
from bus.messages import QUANTITY_LIMIT
from kit.errors import Refused
from storage import halls
from web.fields import Body

HallId = Annotated[UUID, Field(json_schema_extra=widget("choose:halls"))]
Stock = Annotated[
    int,
    Field(
        strict=True, ge=0, le=QUANTITY_LIMIT, description="How many there are; without it, as many as wanted."
    ),
]


class NewExtra(Body):
    """Of one hall, or of the whole studio without `hall_id`. These and the unit never change."""

    name: Line
    unit: Annotated[Literal["hour", "booking"], Field(json_schema_extra=widget("choice"))] = "booking"
    amount_minor: AmountMinor
    stock: Stock | None = None
    hall_id: HallId | None = None


class ChangedExtra(Body):
    """The whole of what may change. An inactive extra is not offered any more."""

    name: Line
    amount_minor: AmountMinor
    stock: Stock | None = None
    is_active: Flag = True


def _create(desk: Desk, sent: ActionRequest, _subject_id: None, body: NewExtra) -> Done:
    extra_id, columns = made_id(desk, sent, "extra"), body.model_dump()

    def write(connection: Connection) -> Change:
        if body.hall_id is not None:
            halls.get_hall(connection, body.hall_id)
        try:
            halls.create_extra(connection, halls.NewExtra(id=extra_id, studio_id=desk.studio_id, **columns))
        except IntegrityError as error:
            raise Refused("extra_name_taken") from error
        return Change(after=columns)

    write_once(desk, sent, "create_extra", extra_id, write)
    return Done(subject_id=extra_id)


def _change(desk: Desk, sent: ActionRequest, extra_id: UUID, body: ChangedExtra) -> Done:
    def write(connection: Connection) -> Change:
        before, after = halls.get_extra(connection, extra_id, lock=True), body.model_dump()
        try:
            halls.change_extra(connection, extra_id, after)
        except IntegrityError as error:
            raise Refused("extra_name_taken") from error
        return changed(before, after)

    write_once(desk, sent, "change_extra", extra_id, write)
    return Done(subject_id=extra_id)


def _as_it_is(connection: Connection, extra_id: UUID) -> dict[str, JsonValue]:
    return halls.get_extra(connection, extra_id)


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="create_extra",
        permission="catalog.write",
        path="/extras",
        subject=None,
        body=NewExtra,
        run=_create,
        summary="Something to lend beside a hall",
    ),
    Action(
        name="change_extra",
        permission="catalog.write",
        path="/extras/{subject_id}",
        subject="extras",
        body=ChangedExtra,
        run=_change,
        initial=_as_it_is,
        summary="Rename, reprice, count again, offer or not",
    ),
)
