"""Halls and bookings of a past that no command can make now: written as the owner, with triggers off."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from booking.rules.machine import HELD
from kit.ids import new_id
from storage.halls import NewHall, create_hall
from tests.integration.state_updater.shops import Shop

TOTAL_MINOR = 300_000
ALWAYS = ({"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "10:00", "closes": "22:00"},)
_QUIET = text("SET LOCAL session_replication_role = replica")
_BOOKING = text("""
    INSERT INTO booking (id, studio_id, customer_id, hall_id, state, version, head_hash, starts_at, ends_at,
        people, currency, total_minor, lines, terms, payment, origin, hold_expires_at, created_at, updated_at)
    VALUES (:id, :studio, :customer, :hall, :state, 2, '', :starts_at, :ends_at, :people, 'RUB', :total_minor,
        '[]', '[]', :payment, 'customer', :hold_expires_at, :created_at, :created_at)
""")
_OCCUPANCY = text("""
    INSERT INTO occupancy (id, studio_id, hall_id, kind, booking_id, starts_at, ends_at, note, created_at)
    VALUES (:id, :studio, :hall, :kind, :booking, :starts_at, :ends_at, :note, :created_at)
""")
_INVOICE = text("""
    INSERT INTO invoice (id, studio_id, customer_id, state, version, head_hash, number, currency, total_minor,
        paid_minor, expires_at, opened_at, created_at, updated_at, booking_id)
    SELECT :id, studio_id, customer_id, :state, 2, '', CAST(:id AS text), currency, :total_minor, :paid_minor,
        created_at + interval '1 year', created_at, created_at, created_at, id
    FROM booking WHERE id = :booking
""")
_CUSTOMER = text("INSERT INTO customer (id, studio_id, email, name) VALUES (:id, :studio, :email, :name)")


def build_hall(
    shop: Shop,
    name: str,
    hours: Sequence[Mapping[str, object]] = ALWAYS,
    *,
    step_minutes: int = 15,
    minutes_min: int = 60,
    position: int = 0,
) -> UUID:
    """A hall, open from 10 to 22 unless told otherwise."""
    hall = NewHall(
        id=new_id(),
        studio_id=shop.studio_id,
        name=name,
        capacity=20,
        hours=hours,
        step_minutes=step_minutes,
        minutes_min=minutes_min,
        position=position,
    )
    with shop.owner.begin() as connection:
        create_hall(connection, hall)
    return hall.id


def add_customer(shop: Shop, name: str) -> UUID:
    customer_id = new_id()
    row = {"id": customer_id, "studio": shop.studio_id, "email": f"{customer_id}@example.org", "name": name}
    with shop.owner.begin() as connection:
        connection.execute(_CUSTOMER, row)
    return customer_id


def book(
    shop: Shop,
    hall_id: UUID,
    starts_at: datetime,
    hours: float = 1,
    state: str = "confirmed",
    *,
    customer_id: UUID | None = None,
    payment: str | None = "online",
    hold_expires_at: datetime | None = None,
    people: int = 4,
    buffer_after: timedelta = timedelta(),
) -> UUID:
    """A booking and, while it counts, its time in the hall."""
    booking_id = new_id()
    ends_at = starts_at + timedelta(hours=hours)
    row = {
        "id": booking_id,
        "studio": shop.studio_id,
        "customer": customer_id or shop.customer_id,
        "hall": hall_id,
        "state": state,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "people": people,
        "total_minor": TOTAL_MINOR,
        "payment": None if state == "held" else payment,
        "hold_expires_at": hold_expires_at or starts_at,
        "created_at": starts_at - timedelta(days=1),
    }
    with shop.owner.begin() as connection:
        connection.execute(_QUIET)
        connection.execute(_BOOKING, row)
    if state not in ("canceled", "expired"):
        kind = "hold" if state in HELD else "booking"
        occupy(shop, hall_id, starts_at, ends_at + buffer_after, kind, booking_id=booking_id)
    return booking_id


def occupy(
    shop: Shop,
    hall_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    kind: str = "blackout",
    *,
    booking_id: UUID | None = None,
    note: str = "",
) -> UUID:
    occupancy_id = new_id()
    row = {
        "id": occupancy_id,
        "studio": shop.studio_id,
        "hall": hall_id,
        "kind": kind,
        "booking": booking_id,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "note": note,
        "created_at": starts_at - timedelta(days=1),
    }
    with shop.owner.begin() as connection:
        connection.execute(_OCCUPANCY, row)
    return occupancy_id


def bill(
    shop: Shop, booking_id: UUID, paid_minor: int, total_minor: int = TOTAL_MINOR, state: str | None = None
) -> UUID:
    """An invoice of a booking: paid as a whole, or still open."""
    invoice_id = new_id()
    row = {
        "id": invoice_id,
        "booking": booking_id,
        "state": state or ("paid" if paid_minor >= total_minor else "open"),
        "total_minor": total_minor,
        "paid_minor": paid_minor,
    }
    with shop.owner.begin() as connection:
        connection.execute(_QUIET)
        connection.execute(_INVOICE, row)
    return invoice_id
