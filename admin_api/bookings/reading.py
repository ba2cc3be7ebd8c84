"""Who has which hall when: all halls of a studio on some days, in one statement for their hours and one for
what is taken.

Called by the JSON API and the pages. Bounded by days, halls and rows; what is cut off is said.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.bookings.days import Days
from admin_api.bookings.views import HallTime, OpenSpan, Taken, Timeline
from admin_api.dashboards.views import PeriodView
from admin_api.desk import Desk
from booking.queries import Hall, read_halls
from booking.rules.calendar import open_spans
from booking.rules.machine import HELD

HALLS_LIMIT: Final = 100
# A hundred halls for a month of ten bookings a day are 31 000; a page of a week never has as many.
TAKEN_LIMIT: Final = 20_000

# Compared by their ends: the operators of ranges may leak, so that row-level security would use no index.
_TAKEN = text("""
    SELECT o.hall_id, o.id AS occupancy_id, o.kind, o.starts_at, o.ends_at, o.note, o.booking_id, b.state,
        coalesce(b.starts_at, o.starts_at) AS visit_starts_at,
        coalesce(b.ends_at, o.ends_at) AS visit_ends_at, b.customer_id,
        coalesce(nullif(c.name, ''), c.email) AS customer, b.people,
        CASE WHEN b.state = ANY (:held) THEN b.hold_expires_at END AS hold_expires_at
    FROM occupancy o
    LEFT JOIN booking b ON b.studio_id = o.studio_id AND b.id = o.booking_id
    LEFT JOIN customer c ON c.studio_id = o.studio_id AND c.id = b.customer_id
    WHERE o.studio_id = :studio_id AND o.hall_id = ANY (:hall_ids) AND o.released_at IS NULL
        AND o.ends_at > :starts_at AND o.starts_at < :ends_at
    ORDER BY o.starts_at, o.hall_id LIMIT :limit
""")


def read_timeline(desk: Desk, days: Days) -> Timeline:
    """Raises Problem 403 without `bookings.read`."""
    desk.require("bookings.read")
    with desk.transaction() as connection:
        halls = read_halls(connection, only_active=False)
        taken = _read_taken(connection, desk.studio_id, [hall.id for hall in halls], days)
    count = sum(map(len, taken.values()))
    # A hall that was given up is shown while somebody has it.
    shown = [hall for hall in halls if hall.is_active or taken[hall.id]]
    return Timeline(
        period=PeriodView(from_on=days.from_on, to_on=days.dates[-1], timezone=days.calendar.timezone),
        as_of=days.calendar.now,
        halls=[_hall_time(hall, taken[hall.id], days) for hall in shown[:HALLS_LIMIT]],
        is_cut=len(shown) > HALLS_LIMIT or count >= TAKEN_LIMIT,
    )


def _read_taken(
    connection: Connection, studio_id: UUID, hall_ids: list[UUID], days: Days
) -> dict[UUID, list[Taken]]:
    window = days.window
    rows = connection.execute(
        _TAKEN,
        {
            "studio_id": studio_id,
            "hall_ids": hall_ids,
            "held": sorted(HELD),
            "starts_at": window.starts_at,
            "ends_at": window.ends_at,
            "limit": TAKEN_LIMIT,
        },
    )
    taken: dict[UUID, list[Taken]] = {hall_id: [] for hall_id in hall_ids}
    for row in rows.mappings():
        taken[row["hall_id"]].append(Taken.model_validate(dict(row)))
    return taken


def _hall_time(hall: Hall, taken: list[Taken], days: Days) -> HallTime:
    is_open = open_spans(hall.rules, days.window) if hall.is_active else []
    return HallTime(
        hall_id=hall.id,
        name=hall.name,
        is_active=hall.is_active,
        step_minutes=hall.rules.step_minutes,
        minutes_min=hall.rules.minutes_min,
        open=[OpenSpan(starts_at=span.starts_at, ends_at=span.ends_at) for span in is_open],
        taken=taken,
    )
