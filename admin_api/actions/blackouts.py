"""Closing a hall for a time, and opening it again. Commands.

While bookings are in the way it is refused, with their ids; `clearing` lets these go first.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, EffectLine
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import Line, Nothing
from admin_api.actions.local_times import LocalTime, read_span
from admin_api.actions.rows import get_blackout
from admin_api.desk import Desk
from booking.rules.availability import BLACKOUT_DAYS_MAX, closed_from_now
from booking.rules.calendar import Span
from bus.messages import BlockHall, Command, UnblockHall
from kit.ids import new_id
from storage.catalog import get_calendar
from storage.halls import get_hall
from web.commands import Wanted
from web.fields import Body
from web.problems import invalid


class Closing(Body):
    """From when to when, by the studio's clock, and a note for whoever wonders."""

    starts_at: LocalTime
    ends_at: LocalTime
    note: Line = ""


def want_block(desk: Desk, connection: Connection, hall_id: UUID, sent: Closing) -> Wanted:
    """Raises NotFound, Refused (`closed_in_the_past`), and Problem 422 for times that are none."""
    get_hall(connection, hall_id)
    span = span_of(desk, connection, sent)
    command = BlockHall(
        studio_id=desk.studio_id,
        customer_id=None,
        hall_id=hall_id,
        blackout_id=new_id(),
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        note=sent.note,
    )
    return Wanted(command, hall_id)


def _want_unblock(desk: Desk, connection: Connection, blackout_id: UUID, _sent: Nothing) -> Wanted:
    blackout = get_blackout(connection, blackout_id)
    command = UnblockHall(
        studio_id=desk.studio_id, customer_id=None, hall_id=blackout.hall_id, blackout_id=blackout_id
    )
    return Wanted(command, blackout_id)


def span_of(desk: Desk, connection: Connection, sent: Closing) -> Span:
    """What is ahead of it. Raises Problem 422, Refused (`closed_in_the_past`)."""
    calendar = get_calendar(connection, desk.studio_id)
    span = read_span(calendar.timezone, sent.starts_at, sent.ends_at)
    if span.ends_at - span.starts_at > timedelta(days=BLACKOUT_DAYS_MAX):
        raise invalid(("body.ends_at", "too_long"))
    return closed_from_now(span, calendar.now(desk.now))


def _announce_block(_desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    assert isinstance(command, BlockHall)
    return (closing_line(connection, command.hall_id, Span(command.starts_at, command.ends_at)),)


def _announce_unblock(_desk: Desk, connection: Connection, command: Command) -> tuple[EffectLine, ...]:
    assert isinstance(command, UnblockHall)
    blackout = get_blackout(connection, command.blackout_id)
    facts = _times(connection, command.hall_id, Span(blackout.starts_at, blackout.ends_at))
    return (EffectLine("hall.opens", facts),)


def closing_line(connection: Connection, hall_id: UUID, span: Span) -> EffectLine:
    return EffectLine("hall.closes", _times(connection, hall_id, span))


def _times(connection: Connection, hall_id: UUID, span: Span) -> dict[str, JsonValue]:
    return {
        "hall": get_hall(connection, hall_id)["name"],
        "starts_at": span.starts_at.isoformat(),
        "ends_at": span.ends_at.isoformat(),
    }


def _is_closed(connection: Connection, blackout_id: UUID) -> bool:
    get_blackout(connection, blackout_id)
    return True


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "block_hall",
        "bookings.decide",
        "/halls/{subject_id}/blackouts",
        subject="halls",
        body=Closing,
        want=want_block,
        announce=_announce_block,
        summary="Close it for a time, if no booking is in the way",
    ),
    command_action(
        "unblock_hall",
        "bookings.decide",
        "/blackouts/{subject_id}/end",
        subject="blackouts",
        body=Nothing,
        want=_want_unblock,
        announce=_announce_unblock,
        is_open=_is_closed,
        summary="Open the hall again",
    ),
)
