"""How a studio takes bookings: its holds, quotes, late money, moving and cancellation. A direct write.

A booking keeps the terms of cancellation that it was quoted.
"""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, widget
from admin_api.actions.direct import Change, changed, write_once
from admin_api.actions.fields import Flag
from admin_api.actions.halls import Rules, ruled
from admin_api.desk import Desk
from booking.rules.terms import read_terms
from kit.errors import NotFound
from storage import halls
from web.fields import Body

_LENGTH: Final = widget("length")
Terms = Annotated[
    Rules,
    Field(
        json_schema_extra=widget("terms"),
        description="The first tier whose hours are left applies; after the last one nothing goes back.",
        examples=[[{"hours_before": 48, "refund_percent": 100}]],
    ),
    ruled(read_terms),
]


class ChangedTerms(Body):
    """What is not given stays as it is. `late_money`: what becomes of money for a time that is lost."""

    hold_seconds: Annotated[int, Field(strict=True, ge=120, le=86_400, json_schema_extra=_LENGTH)] | None = (
        None
    )
    staff_hold_seconds: (
        Annotated[int, Field(strict=True, ge=120, le=2_592_000, json_schema_extra=_LENGTH)] | None
    ) = None
    quote_seconds: Annotated[int, Field(strict=True, ge=60, le=86_400, json_schema_extra=_LENGTH)] | None = (
        None
    )
    holds_limit: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    pays_on_site: Flag | None = None
    on_site_limit: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    late_money: Annotated[Literal["refund", "staff"], Field(json_schema_extra=widget("choice"))] | None = None
    reschedule_hours_before: Annotated[int, Field(strict=True, ge=0, le=8_760)] | None = None
    cancellation_terms: Terms | None = None


def _change(desk: Desk, sent: ActionRequest, studio_id: UUID, body: ChangedTerms) -> Done:
    if studio_id != desk.studio_id:
        raise NotFound(what="studio", id=str(studio_id))

    def write(connection: Connection) -> Change:
        before = halls.get_booking_terms(connection, studio_id, lock=True)
        after = before | body.model_dump(exclude_none=True)
        halls.change_booking_terms(connection, studio_id, after)
        return changed(before, after)

    write_once(desk, sent, "change_booking_terms", studio_id, write)
    return Done(subject_id=studio_id)


def _as_they_are(connection: Connection, studio_id: UUID) -> dict[str, JsonValue]:
    return halls.get_booking_terms(connection, studio_id)


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="change_booking_terms",
        permission="catalog.write",
        path="/booking_terms/{subject_id}",
        subject="booking_terms",
        body=ChangedTerms,
        run=_change,
        initial=_as_they_are,
        summary="Holds, quotes, payment on site, moving and cancellation",
    ),
)
