"""What else could be booked where a wanted time is taken.

Called by whoever refuses one: `offers`, and the answer to a command that came too late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from booking.queries import Hall, find_hall, read_halls, read_taken, read_tariffs
from booking.rules.availability import can_be_booked, nearest_free, nearest_window
from booking.rules.calendar import Span
from bus.messages import ExtraWanted

NEAREST_LIMIT: Final = 5
OTHER_HALLS_LIMIT: Final = 3

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wish:
    """A time in a hall that somebody wants. What `except_booking` has itself counts as free: it is the one to
    be moved."""

    hall_id: UUID
    slot: Span
    people: int
    extras: Sequence[ExtraWanted] = ()
    except_booking: UUID | None = None


def alternatives(connection: Connection, wish: Wish, now: datetime) -> list[Json]:
    """The nearest times of the same length in this hall, then other halls at this very time, for as many
    people; `now` is the studio's own."""
    hall = find_hall(connection, wish.hall_id)
    nearest: list[Json] = []
    if hall is not None:
        window = nearest_window(wish.slot)
        taken = read_taken(connection, [hall.id], window, wish.except_booking)[hall.id]
        spans = nearest_free(hall.rules, taken, wish.slot, now, NEAREST_LIMIT)
        nearest = [_shown(hall, span) for span in spans]
    return nearest + [_shown(other, wish.slot) for other in _others(connection, wish, now)]


def _others(connection: Connection, wish: Wish, now: datetime) -> list[Hall]:
    halls = [
        hall for hall in read_halls(connection) if hall.id != wish.hall_id and hall.capacity >= wish.people
    ]
    hall_ids = [hall.id for hall in halls]
    taken = read_taken(connection, hall_ids, wish.slot, wish.except_booking)
    tariffs = read_tariffs(connection, hall_ids, now)
    free = (
        hall
        for hall in halls
        if hall.id in tariffs and can_be_booked(hall.rules, taken[hall.id], wish.slot, now)
    )
    return list(islice(free, OTHER_HALLS_LIMIT))


def _shown(hall: Hall, span: Span) -> Json:
    zone = ZoneInfo(hall.rules.timezone)
    return {
        "hall_id": str(hall.id),
        "hall_name": hall.name,
        "starts_at": span.starts_at.astimezone(zone).isoformat(),
        "ends_at": span.ends_at.astimezone(zone).isoformat(),
    }
