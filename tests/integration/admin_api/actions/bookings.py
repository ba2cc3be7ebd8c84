"""A studio's hall as its manager sets it up, and customers' bookings in it, paid or not."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kit.ids import new_id
from tests.integration.admin_api.actions.clerk import Clerk

MOSCOW = ZoneInfo("Europe/Moscow")
PER_HOUR_MINOR = 200_000
HALL: dict[str, Any] = {
    "name": "Blue",
    "capacity": 8,
    "hours": [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}],
    "horizon_days": 365,
}


def today() -> datetime:
    """The last midnight of the studio."""
    return datetime.now(MOSCOW).replace(hour=0, minute=0, second=0, microsecond=0)


def at(days: int, clock: str) -> str:
    """A time of a day of the studio, as a person writes it."""
    return f"{today() + timedelta(days=days):%Y-%m-%d} {clock}"


def open_hall(manager: Clerk, **changes: Any) -> UUID:
    """A hall that can be booked now."""
    hall_id = manager.press("create_hall", **HALL | changes).subject_id
    assert hall_id is not None
    manager.press(
        "set_tariff", hall_id, per_hour_minor=PER_HOUR_MINOR, effective_from=today().date().isoformat()
    )
    return hall_id


def wish(
    hall_id: UUID, days: int = 10, starts: str = "10:00", ends: str = "12:00", **more: Any
) -> dict[str, Any]:
    """The fields of a time in a hall."""
    return {"hall_id": hall_id, "starts_at": at(days, starts), "ends_at": at(days, ends), "people": 2, **more}


def hold(clerk: Clerk, hall_id: UUID, days: int = 10, **more: Any) -> UUID:
    """A booking that is held for the shop's customer."""
    done = clerk.press("book", customer_id=clerk.shop.customer_id, **wish(hall_id, days, **more))
    answer = clerk.apply(done.operation)
    assert answer.state == "applied", answer.problem
    return UUID(str((answer.result or {})["booking_id"]))


def confirm(clerk: Clerk, hall_id: UUID, days: int = 10, **more: Any) -> UUID:
    """One that is to be paid on site."""
    booking_id = hold(clerk, hall_id, days, **more)
    assert clerk.tell("check_out_booking", booking_id, payment="on_site") == "applied"
    return booking_id


def pay(clerk: Clerk, hall_id: UUID, days: int = 10, **more: Any) -> UUID:
    """One that was paid online."""
    shop, booking_id = clerk.shop, hold(clerk, hall_id, days, **more)
    assert clerk.tell("check_out_booking", booking_id, payment="online") == "applied"
    settle(clerk, booking_id)
    assert shop.state("booking", booking_id) == "confirmed"
    return booking_id


def settle(clerk: Clerk, booking_id: UUID) -> None:
    """The customer pays the open invoice of a booking."""
    shop, attempt_id = clerk.shop, new_id()
    ((invoice_id, total_minor),) = shop.rows(
        "SELECT id, total_minor FROM invoice WHERE booking_id = :id AND state = 'open'", id=booking_id
    )
    paid = shop.paid(attempt_id, invoice_id, amount_minor=total_minor)
    assert shop.tell(shop.start(attempt_id, invoice_id), paid) == ["applied", "applied"]
