"""Halls of the benchmarks' studio. Called by the benchmarks that book."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import psycopg

from benchmarks.ground import owner_engine
from benchmarks.people import STUDIO
from kit.ids import derived_id
from storage.halls import NewHall, NewTariff, create_hall, create_tariff

PER_HOUR_MINOR = 200_000
# As many as a customer may hold at once, and promise to pay for on site.
HOLDS_LIMIT = 100
ALL_DAY: Final[Sequence[Mapping[str, object]]] = [
    {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}
]


def make_halls(database_url: str, count: int, hours: Sequence[Mapping[str, object]] = ALL_DAY) -> list[UUID]:
    """Halls of STUDIO with one price for every hour; a customer may hold HOLDS_LIMIT times, and promise to
    pay for as many on site."""
    studio_id = STUDIO.id("studio")
    hall_ids = [derived_id("hall of a benchmark", number) for number in range(count)]
    with owner_engine(database_url).begin() as connection:
        for number, hall_id in enumerate(hall_ids):
            hall = NewHall(
                id=hall_id,
                studio_id=studio_id,
                name=f"Hall {number}",
                capacity=10,
                hours=hours,
                notice_minutes=0,
                position=number,
            )
            tariff = NewTariff(
                id=derived_id("tariff of a benchmark", number),
                studio_id=studio_id,
                hall_id=hall_id,
                per_hour_minor=PER_HOUR_MINOR,
                effective_from=datetime(2020, 1, 1, tzinfo=UTC),
            )
            create_hall(connection, hall)
            create_tariff(connection, tariff)
    with psycopg.connect(database_url) as owner:
        limits = {"limit": HOLDS_LIMIT, "id": studio_id}
        owner.execute(
            "UPDATE studio SET holds_limit = %(limit)s, on_site_limit = %(limit)s WHERE id = %(id)s", limits
        )
    return hall_ids
