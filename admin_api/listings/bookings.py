"""Lists of bookings, and of the times for which halls are closed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, holding, of_customers
from admin_api.queries.names import Named, customer_names, hall_names
from admin_api.walls import GuardedSession
from booking.rules.machine import BOOKING, HELD
from models.tables import Booking, Occupancy
from web.views import Money, View


class BookingRow(View):
    """`payment` is unknown while it is held, `hold_expires_at` is there until it is paid or over."""

    id: UUID
    customer: Named
    hall: Named
    state: str
    starts_at: datetime
    ends_at: datetime
    people: int
    total: Money
    payment: str | None
    origin: str
    hold_expires_at: datetime | None
    created_at: datetime


class BlackoutRow(View):
    """A time for which a hall is closed."""

    id: UUID
    hall: Named
    starts_at: datetime
    ends_at: datetime
    note: str
    created_at: datetime


def _booking_rows(session: GuardedSession, rows: Rows) -> Sequence[BookingRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    halls = hall_names(session, {row.hall_id for row in rows})
    return [
        BookingRow(
            id=row.id,
            customer=customers[row.customer_id],
            hall=halls[row.hall_id],
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            people=row.people,
            total=Money(amount_minor=row.total_minor, currency=row.currency),
            payment=row.payment,
            origin=row.origin,
            hold_expires_at=row.hold_expires_at if row.state in HELD else None,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _blackout_rows(session: GuardedSession, rows: Rows) -> Sequence[BlackoutRow]:
    halls = hall_names(session, {row.hall_id for row in rows})
    return [
        BlackoutRow(
            id=row.id,
            hall=halls[row.hall_id],
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            note=row.note,
            created_at=row.created_at,
        )
        for row in rows
    ]


BOOKINGS: Final = Listing(
    name="bookings",
    model=Booking,
    permission="bookings.read",
    view=BookingRow,
    columns=("starts_at", "ends_at", "hall", "customer", "state", "total", "payment"),
    fields=(
        Booking.id,
        Booking.customer_id,
        Booking.hall_id,
        Booking.state,
        Booking.starts_at,
        Booking.ends_at,
        Booking.people,
        Booking.currency,
        Booking.total_minor,
        Booking.payment,
        Booking.origin,
        Booking.hold_expires_at,
        Booking.created_at,
    ),
    present=_booking_rows,
    sorts={"created_at": Booking.id, "starts_at": Booking.starts_at},
    default_sort="-created_at",
    filters=(
        Filter("state", Booking.state, "choice", BOOKING.states),
        Filter("payment", Booking.payment, "choice", ("online", "on_site")),
        Filter("hall", Booking.hall_id, "uuid"),
        Filter("customer", Booking.customer_id, "uuid", is_selective=True),
        Filter("starts_from", Booking.starts_at, "date_from"),
        Filter("starts_to", Booking.starts_at, "date_to"),
    ),
    search=by_ids_or((Booking.id, Booking.customer_id), of_customers(Booking.customer_id)),
)

BLACKOUTS: Final = Listing(
    name="blackouts",
    model=Occupancy,
    permission="catalog.read",
    view=BlackoutRow,
    columns=("hall", "starts_at", "ends_at", "note", "created_at"),
    fields=(
        Occupancy.id,
        Occupancy.hall_id,
        Occupancy.starts_at,
        Occupancy.ends_at,
        Occupancy.note,
        Occupancy.created_at,
    ),
    present=_blackout_rows,
    sorts={"starts_at": Occupancy.starts_at, "created_at": Occupancy.created_at},
    default_sort="-starts_at",
    filters=(
        Filter("hall", Occupancy.hall_id, "uuid"),
        Filter("starts_from", Occupancy.starts_at, "date_from"),
        Filter("starts_to", Occupancy.starts_at, "date_to"),
    ),
    search=by_ids_or((Occupancy.id, Occupancy.hall_id), holding(Occupancy.note)),
    # An index of its own leads to them, among a thousand times as many bookings.
    narrow=(Occupancy.kind == "blackout", Occupancy.released_at.is_(None)),
    is_few=True,
)
