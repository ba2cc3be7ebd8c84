"""Closing a hall for a time, and opening it again. A blackout has the hall as a booking has.

It never begins in the past: what has been in the hall is in nobody's way.
"""

from datetime import timedelta
from typing import Any

from booking.rules.availability import BLACKOUT_DAYS_MAX, closed_from_now
from booking.rules.calendar import Span
from bus.messages import BlockHall, UnblockHall
from kit.errors import Refused
from state_updater.booking_rows import Occupancy
from state_updater.work import Work

# So many of the bookings in the way are named.
NAMED_BOOKINGS = 50


def handle_block_hall(command: BlockHall, work: Work) -> dict[str, Any]:
    hall = work.get_hall(command.hall_id)
    if command.ends_at - command.starts_at > timedelta(days=BLACKOUT_DAYS_MAX):
        raise Refused("too_long", days_max=BLACKOUT_DAYS_MAX)
    closed = closed_from_now(Span(command.starts_at, command.ends_at), work.now)
    taken = work.occupancies(hall.id, closed.starts_at, closed.ends_at)
    bookings = [str(each.booking_id) for each in taken if each.booking_id is not None]
    if bookings:
        raise Refused("bookings_in_the_way", booking_ids=bookings[:NAMED_BOOKINGS])
    if taken:
        raise Refused("already_blocked", blackout_id=str(taken[0].id))
    work.insert(
        Occupancy(
            id=command.blackout_id,
            studio_id=work.studio.id,
            hall_id=hall.id,
            kind="blackout",
            booking_id=None,
            starts_at=closed.starts_at,
            ends_at=closed.ends_at,
            note=command.note,
            created_at=work.written_at,
            released_at=None,
        )
    )
    return {"blackout_id": str(command.blackout_id)}


def handle_unblock_hall(command: UnblockHall, work: Work) -> dict[str, Any]:
    blackout = work.get_blackout(command.blackout_id, command.hall_id)
    if blackout.released_at is not None:
        return {"blackout_id": str(blackout.id), "unchanged": True}
    work.touch(blackout, released_at=work.written_at)
    return {"blackout_id": str(blackout.id)}
