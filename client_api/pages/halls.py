"""What the booking page knows of each hall before anything is asked: its card, and what its script needs.

Called by `pages`. Free times and sums are not here: those the script asks of the API.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from booking.queries import Extra, Hall, read_extras, read_halls, read_tariffs
from booking.rules.prices import Tariff


@dataclass(frozen=True, slots=True)
class HallCard:
    """A hall with the least that an hour in it costs; `extras` are those that it may be booked with."""

    hall: Hall
    currency: str
    from_minor: int
    extras: tuple[Extra, ...]

    @property
    def facts(self) -> Mapping[str, object]:
        """For the script: JSON values, minutes and minor units."""
        rules = self.hall.rules
        return {
            "id": str(self.hall.id),
            "name": self.hall.name,
            "capacity": self.hall.capacity,
            "currency": self.currency,
            "step_minutes": rules.step_minutes,
            "minutes_min": rules.minutes_min,
            "minutes_max": rules.minutes_max,
            "horizon_days": rules.horizon_days,
            "extras": [
                {
                    "id": str(extra.id),
                    "name": extra.name,
                    "unit": extra.unit,
                    "amount_minor": extra.amount_minor,
                    "stock": extra.stock,
                }
                for extra in self.extras
            ],
        }


def list_hall_cards(connection: Connection, now: datetime) -> list[HallCard]:
    """Halls that can be booked, in the studio's order; without a price one cannot. `now` is the studio's."""
    halls = read_halls(connection)
    tariffs = read_tariffs(connection, [hall.id for hall in halls], now)
    extras = read_extras(connection) if tariffs else []
    return [_card(hall, tariffs[hall.id], extras) for hall in halls if hall.id in tariffs]


def _card(hall: Hall, tariff: Tariff, extras: Sequence[Extra]) -> HallCard:
    own = tuple(extra for extra in extras if extra.hall_id in (None, hall.id) and extra.stock != 0)
    return HallCard(hall, tariff.currency, tariff.from_minor, own)
