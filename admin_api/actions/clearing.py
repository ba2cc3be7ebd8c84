"""Closing a hall over bookings: these are let go first, each with a full refund, then it is closed.

Reached from the refusal of `blackouts`, with the bookings that it has named: those are let go and no others.
One command for each; their answers are waited for, and the hall is closed only when all of them are gone.
Nothing is let go while something stands there that cannot be: a visit that is over. What else could not be
done is told booking by booking.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection, text

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, widget
from admin_api.actions.blackouts import Closing, closing_line, span_of, want_block
from admin_api.actions.booking_effects import WHOLE, gives_back
from admin_api.actions.effects import refused
from admin_api.actions.fields import Reason
from admin_api.actions.rows import get_booking
from admin_api.desk import Desk
from admin_api.queries.operations import find_operations
from booking.rules.machine import BOOKING
from bus.messages import CancelBooking
from kit.errors import NotFound, Refused
from kit.ids import derived_id
from storage.catalog import get_calendar
from storage.halls import get_hall
from web.commands import Wanted, submit

# So many bookings are let go at once; whoever closes a hall for a season does it in parts.
CLEARED_LIMIT: Final = 20
# How long answers are waited for, all together, and how often the journal is asked.
ANSWERS_WAIT_SECONDS: Final = 20.0
ANSWERS_POLL_SECONDS: Final = 0.2

_IN_THE_WAY: Final = text("""
    SELECT b.id, b.state, b.ends_at FROM occupancy o JOIN booking b ON b.id = o.booking_id
    WHERE o.hall_id = :hall_id AND o.released_at IS NULL
        AND o.starts_at < :ends_at AND o.ends_at > :starts_at
    ORDER BY o.starts_at LIMIT :limit
""")


class Clearing(Closing):
    """With the bookings that are to be let go: those, and no others, must be in the way."""

    booking_ids: Annotated[
        tuple[UUID, ...],
        Field(min_length=1, max_length=CLEARED_LIMIT, json_schema_extra=widget("things:bookings")),
    ]
    reason: Reason


def _to_clear(desk: Desk, connection: Connection, hall_id: UUID, sent: Clearing) -> list[UUID]:
    """Of the bookings that were named those in the way now.

    Raises Refused: others are (`bookings_in_the_way`), or too many, or some that cannot be canceled any more
    (`visits_in_the_way`, with their ids).
    """
    get_hall(connection, hall_id)
    span = span_of(desk, connection, sent)
    asked = {"hall_id": hall_id, "starts_at": span.starts_at, "ends_at": span.ends_at}
    rows = connection.execute(_IN_THE_WAY, {**asked, "limit": CLEARED_LIMIT + 1}).all()
    if len(rows) > CLEARED_LIMIT:
        raise Refused("too_many_in_the_way", limit=CLEARED_LIMIT)
    now = get_calendar(connection, desk.studio_id).now(desk.now)
    # Canceled, a visit that is over would be paid back in full.
    if over := [
        row.id for row in rows if row.ends_at <= now or "cancel" not in BOOKING.triggers_from(row.state)
    ]:
        raise Refused("visits_in_the_way", booking_ids=[str(each) for each in over])
    found = [row.id for row in rows]
    if set(found) - set(sent.booking_ids):
        raise Refused("bookings_in_the_way", booking_ids=[str(each) for each in found])
    return found


def _foresee_clearing(desk: Desk, hall_id: UUID, sent: Clearing) -> Effect:
    with desk.transaction() as connection:
        try:
            going = _to_clear(desk, connection, hall_id, sent)
        except NotFound:
            raise
        except Refused as no:
            return refused(no)
        lines = [line for booking_id in going for line in _going(connection, booking_id)]
        closed = closing_line(connection, hall_id, span_of(desk, connection, sent))
    return Effect((*lines, closed))


def _going(connection: Connection, booking_id: UUID) -> list[EffectLine]:
    booking = get_booking(connection, booking_id)
    facts: dict[str, JsonValue] = {
        "hall": booking.hall,
        "starts_at": booking.starts_at.isoformat(),
        "ends_at": booking.ends_at.isoformat(),
    }
    gone = EffectLine("step.booking.cancel", facts)
    return [gone, *gives_back(connection, booking, WHOLE)]


def _clear_and_block(desk: Desk, sent: ActionRequest, hall_id: UUID, body: Clearing) -> Done:
    """Raises Refused (`cleared_in_part`, with what became of each booking) and leaves the hall open then."""
    with desk.transaction() as connection:
        going = _to_clear(desk, connection, hall_id, body)
    commands = {booking_id: _cancel(desk, sent, booking_id, body.reason) for booking_id in going}
    fates = _wait(desk, commands)
    if any(fate.state != "applied" for fate in fates.values()):
        raise Refused("cleared_in_part", **_told(fates))
    blocking = _part(sent, "block")
    block_id = submit(desk, blocking, lambda connection: want_block(desk, connection, hall_id, body))
    # The page of the hall, or whoever asks for the operation, is told what became of this one.
    return Done(operation=block_id, subject_id=hall_id)


def _cancel(desk: Desk, sent: ActionRequest, booking_id: UUID, reason: str) -> UUID:
    def want(connection: Connection) -> Wanted:
        command = CancelBooking(
            studio_id=desk.studio_id,
            customer_id=get_booking(connection, booking_id).customer_id,
            booking_id=booking_id,
            origin="staff",
            refund_percent=WHOLE,
            reason=reason,
        )
        return Wanted(command, booking_id)

    return submit(desk, _part(sent, booking_id), want)


def _part(sent: ActionRequest, part: object) -> ActionRequest:
    """One of the commands of a request, with a key of its own, the same whenever the request is repeated."""
    return replace(sent, key=derived_id("part", sent.key, part).hex)


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one cancellation; `accepted`: nobody knows yet."""

    state: str
    code: str = ""


def _wait(desk: Desk, commands: Mapping[UUID, UUID]) -> dict[UUID, _Fate]:
    """What became of each booking's command, as far as it is known in ANSWERS_WAIT_SECONDS."""
    until = time.monotonic() + ANSWERS_WAIT_SECONDS
    while True:
        with desk.transaction() as connection:
            operations = find_operations(connection, commands.values())
        fates = {
            booking_id: _Fate(operation.state, str((operation.problem or {}).get("code", "")))
            for booking_id, command_id in commands.items()
            if (operation := operations[command_id])
        }
        if time.monotonic() >= until or all(fate.state != "accepted" for fate in fates.values()):
            return fates
        time.sleep(ANSWERS_POLL_SECONDS)


def _told(fates: Mapping[UUID, _Fate]) -> dict[str, object]:
    def those(*states: str) -> list[str]:
        return [str(booking_id) for booking_id, fate in fates.items() if fate.state in states]

    canceled, waiting = those("applied"), those("accepted", "parked")
    left = those("refused")
    return {
        "canceled": len(canceled),
        "kept": len(left),
        "waiting": len(waiting),
        "canceled_ids": canceled,
        "waiting_ids": waiting,
        "booking_ids": [*left, *waiting],
        "codes": sorted({fate.code for fate in fates.values() if fate.code}),
    }


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="clear_and_block_hall",
        permission="bookings.decide",
        path="/halls/{subject_id}/clear",
        subject="halls",
        body=Clearing,
        run=_clear_and_block,
        preview=_foresee_clearing,
        # Nobody begins here: the refusal of `block_hall` leads to it, with the bookings that it has named.
        is_open=lambda _connection, _hall_id: False,
        is_dangerous=True,
        is_command=True,
        needs_key=True,
        summary="Let the bookings in the way go with a full refund, and close it",
    ),
)
