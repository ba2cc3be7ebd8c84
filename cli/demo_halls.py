"""The halls of the demo studio: when they are open, what they cost, what can be lent beside them.

Called by `cli.demo`, on the owner's connection. Seeding again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection

from kit.ids import derived_id
from storage.halls import (
    NewExtra,
    NewHall,
    NewTariff,
    create_extra,
    create_hall,
    create_tariff,
    set_booking_terms,
)

Rules = Sequence[Mapping[str, object]]

TERMS: Final = ({"hours_before": 72, "refund_percent": 100}, {"hours_before": 24, "refund_percent": 50})
RESCHEDULE_HOURS_BEFORE: Final = 12
WORKDAYS, WEEKEND = [1, 2, 3, 4, 5], [6, 7]
# The demo's holidays are known for some years; after them the usual hours count.
HOLIDAY_YEARS: Final = range(2025, 2035)
ROUNDING_MINOR: Final = 1_000


def _holidays(opens: str, closes: str) -> list[dict[str, object]]:
    """The New Year's days, when a hall keeps hours of its own."""
    return [
        {
            "weekdays": [*WORKDAYS, *WEEKEND],
            "opens": opens,
            "closes": closes,
            "from": f"{year}-12-31",
            "until": f"{year + 1}-01-08",
        }
        for year in HOLIDAY_YEARS
    ]


def _rates(evening_minor: int, weekend_minor: int) -> Rules:
    return (
        _rate("Вечер", WORKDAYS, "18:00", evening_minor),
        _rate("Выходные", WEEKEND, "00:00", weekend_minor),
    )


def _rate(name: str, weekdays: list[int], starts: str, per_hour_minor: int) -> dict[str, object]:
    return {
        "name": name,
        "weekdays": weekdays,
        "starts": starts,
        "ends": "24:00",
        "per_hour_minor": per_hour_minor,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHall:
    """A hall with its tariff, minor units of the demo's currency."""

    code: str
    name: str
    description: str
    capacity: int
    equipment: tuple[str, ...]
    hours: Rules
    per_hour_minor: int
    rates: Rules
    duration_tiers: Rules = (
        {"minutes_from": 180, "percent_off": 10},
        {"minutes_from": 300, "percent_off": 15},
    )
    people_included: int
    step_minutes: int = 15
    minutes_min: int = 60
    minutes_max: int = 480
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 15
    notice_minutes: int = 60

    @property
    def id(self) -> UUID:
        return derived_id("demo", "hall", self.code)


HALLS: Final = (
    DemoHall(
        code="large",
        name="Большой зал",
        description="48 м², сцена и окна в сад",
        capacity=12,
        equipment=("барабаны", "пианино", "три комбика", "вокальная линия"),
        hours=(
            {"weekdays": WORKDAYS, "opens": "10:00", "closes": "24:00"},
            {"weekdays": WEEKEND, "opens": "09:00", "closes": "24:00"},
            *_holidays("12:00", "20:00"),
        ),
        per_hour_minor=120_000,
        rates=_rates(150_000, 160_000),
        people_included=6,
    ),
    DemoHall(
        code="small",
        name="Камерный зал",
        description="20 м², для дуэта и занятий",
        capacity=5,
        equipment=("пианино", "два комбика", "зеркало"),
        hours=(
            {"weekdays": [*WORKDAYS, *WEEKEND], "opens": "10:00", "closes": "23:00"},
            *_holidays("12:00", "20:00"),
        ),
        per_hour_minor=60_000,
        rates=_rates(75_000, 80_000),
        people_included=3,
    ),
    DemoHall(
        code="recording",
        name="Запись",
        description="Аппаратная и тон-зал",
        capacity=6,
        equipment=("пульт на 24 канала", "мониторы", "микрофонный парк"),
        hours=({"weekdays": [*WORKDAYS, *WEEKEND], "opens": "11:00", "closes": "23:00"},),
        per_hour_minor=200_000,
        rates=_rates(240_000, 240_000),
        people_included=6,
        step_minutes=30,
        minutes_min=120,
        buffer_before_minutes=15,
        buffer_after_minutes=30,
        notice_minutes=180,
    ),
)


@dataclass(frozen=True, slots=True)
class DemoExtra:
    """`hall_code` None: of the whole studio."""

    code: str
    name: str
    unit: Literal["hour", "booking"]
    amount_minor: int
    stock: int
    hall_code: str | None = None


EXTRAS: Final = (
    DemoExtra("microphone", "Микрофон", "booking", 20_000, 8),
    DemoExtra("amplifier", "Гитарный комбик", "hour", 15_000, 2),
    DemoExtra("engineer", "Звукорежиссёр", "hour", 90_000, 1, "recording"),
)


def seed_halls(connection: Connection, studio_id: UUID, effective_from: datetime) -> None:
    """Halls, tariffs, extras and terms of a demo studio that exists. Idempotent."""
    set_booking_terms(
        connection,
        studio_id,
        cancellation_terms=TERMS,
        reschedule_hours_before=RESCHEDULE_HOURS_BEFORE,
    )
    for position, hall in enumerate(HALLS):
        _create_hall(connection, studio_id, hall, position)
        _create_tariff(connection, studio_id, hall, effective_from)
    for extra in EXTRAS:
        create_extra(
            connection,
            NewExtra(
                id=derived_id("demo", "extra", extra.code),
                studio_id=studio_id,
                name=extra.name,
                unit=extra.unit,
                amount_minor=extra.amount_minor,
                hall_id=derived_id("demo", "hall", extra.hall_code) if extra.hall_code else None,
                stock=extra.stock,
            ),
        )


def _create_hall(connection: Connection, studio_id: UUID, hall: DemoHall, position: int) -> None:
    create_hall(
        connection,
        NewHall(
            id=hall.id,
            studio_id=studio_id,
            name=hall.name,
            description=hall.description,
            capacity=hall.capacity,
            equipment=hall.equipment,
            hours=hall.hours,
            step_minutes=hall.step_minutes,
            minutes_min=hall.minutes_min,
            minutes_max=hall.minutes_max,
            buffer_before_minutes=hall.buffer_before_minutes,
            buffer_after_minutes=hall.buffer_after_minutes,
            notice_minutes=hall.notice_minutes,
            position=position,
        ),
    )


def _create_tariff(connection: Connection, studio_id: UUID, hall: DemoHall, effective_from: datetime) -> None:
    create_tariff(
        connection,
        NewTariff(
            id=derived_id("demo", "tariff", hall.code),
            studio_id=studio_id,
            hall_id=hall.id,
            per_hour_minor=hall.per_hour_minor,
            rates=hall.rates,
            duration_tiers=hall.duration_tiers,
            people_included=hall.people_included,
            per_person_hour_minor=10_000,
            rounding_minor=ROUNDING_MINOR,
            effective_from=effective_from,
        ),
    )
