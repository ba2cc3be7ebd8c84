"""What a studio sells by the hour, and who has it when, as the database has it now.

Called by the routes of bookings and by the admin, on a connection that sees one studio. Read for showing and
for quoting alike; nothing here decides, and nothing here is locked: whether a time is still free is seen
again when a booking's command is applied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, Row, text

from booking.rules.availability import taken_window
from booking.rules.calendar import HallRules, Span, read_hours
from booking.rules.prices import ExtraPrice, ExtraUnit, Tariff, read_rates, read_tiers
from booking.rules.stock import Use
from booking.rules.terms import Tier, read_terms

HALLS_LIMIT: Final = 200
EXTRAS_SHOWN: Final = 200
# What hours and prices say is read from its text once, and again when it was changed.
KNOWN_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How a studio sells time. `clock_offset` is zero outside test studios."""

    studio_id: UUID
    timezone: str
    currency: str
    quote_seconds: int
    pays_on_site: bool
    reschedule_hours_before: int
    terms: tuple[Tier, ...]
    clock_offset: timedelta

    def now(self, at: datetime) -> datetime:
        """The studio's own time when it is `at` everywhere else."""
        return at + self.clock_offset


@dataclass(frozen=True, slots=True)
class Hall:
    """A room whose time is sold."""

    id: UUID
    studio_id: UUID
    name: str
    description: str
    capacity: int
    equipment: tuple[str, ...]
    is_active: bool
    currency: str
    rules: HallRules


@dataclass(frozen=True, slots=True)
class Extra:
    """What is lent beside a hall; without one, beside any. No stock: as many as are wanted."""

    id: UUID
    hall_id: UUID | None
    name: str
    unit: ExtraUnit
    amount_minor: int
    stock: int | None

    @property
    def price(self) -> ExtraPrice:
        return ExtraPrice(self.id, self.name, self.unit, self.amount_minor)


_POLICY = text("""
    SELECT studio.id, timezone, currency, quote_seconds, pays_on_site, reschedule_hours_before,
        cancellation_terms, COALESCE(offset_seconds, 0) AS offset_seconds
    FROM studio LEFT JOIN clock_offset ON clock_offset.studio_id = studio.id WHERE studio.id = :studio_id
""")
_HALLS = text(f"""
    SELECT hall.id, studio_id, hall.name, description, capacity, equipment, is_active, currency,
        timezone, CAST(hours AS text) AS hours, step_minutes, minutes_min, minutes_max,
        buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days
    FROM hall JOIN studio ON studio.id = hall.studio_id
    WHERE (is_active OR NOT :only_active) AND (CAST(:hall_id AS uuid) IS NULL OR hall.id = :hall_id)
    ORDER BY position, hall.name, hall.id LIMIT {HALLS_LIMIT}
""")  # noqa: S608
# Of each hall the version that began last; one that begins later is not in force yet.
_TARIFFS = text("""
    SELECT DISTINCT ON (hall_id) hall_id, id, currency, per_hour_minor, CAST(rates AS text) AS rates,
        CAST(duration_tiers AS text) AS duration_tiers, people_included, per_person_hour_minor, rounding_minor
    FROM tariff WHERE hall_id = ANY (:hall_ids) AND effective_from <= :now
    ORDER BY hall_id, effective_from DESC, version DESC
""")
_EXTRAS = text(f"""
    SELECT id, hall_id, name, unit, amount_minor, stock FROM extra
    WHERE is_active AND (CAST(:hall_id AS uuid) IS NULL OR hall_id IS NULL OR hall_id = :hall_id)
    ORDER BY name, id LIMIT {EXTRAS_SHOWN}
""")  # noqa: S608
# Nothing but what is in the index: the rows of a month lie on as many pages as there are. Two arrays for each
# hall cost half of what a row for each time does.
_TAKEN = """
    SELECT hall_id, array_agg(starts_at ORDER BY ends_at), array_agg(ends_at ORDER BY ends_at) FROM occupancy
    WHERE hall_id = ANY (%s) AND released_at IS NULL AND ends_at > %s AND starts_at < %s {but_own}
    GROUP BY hall_id
"""
_ALL_TAKEN = _TAKEN.format(but_own="").encode()
_TAKEN_BY_OTHERS = _TAKEN.format(but_own="AND booking_id IS DISTINCT FROM %s").encode()
_USES = text("""
    SELECT extra_id, starts_at, ends_at, quantity FROM extra_use
    WHERE extra_id = ANY (:extra_ids) AND released_at IS NULL AND ends_at > :starts_at
        AND starts_at < :ends_at AND booking_id IS DISTINCT FROM CAST(:except_booking AS uuid)
""")


def get_policy(connection: Connection, studio_id: UUID) -> Policy:
    row = connection.execute(_POLICY, {"studio_id": studio_id}).one()
    return Policy(
        studio_id=row.id,
        timezone=row.timezone,
        currency=row.currency,
        quote_seconds=row.quote_seconds,
        pays_on_site=row.pays_on_site,
        reschedule_hours_before=row.reschedule_hours_before,
        terms=read_terms(row.cancellation_terms),
        clock_offset=timedelta(seconds=row.offset_seconds),
    )


def read_halls(connection: Connection, *, only_active: bool = True) -> list[Hall]:
    """In the studio's order, HALLS_LIMIT at most."""
    found = connection.execute(_HALLS, {"only_active": only_active, "hall_id": None})
    return [_hall(row) for row in found]


def find_hall(connection: Connection, hall_id: UUID, *, only_active: bool = True) -> Hall | None:
    row = connection.execute(_HALLS, {"only_active": only_active, "hall_id": hall_id}).one_or_none()
    return _hall(row) if row else None


def read_tariff(connection: Connection, hall_id: UUID, now: datetime) -> Tariff | None:
    """What a hall costs at the studio's own `now`."""
    return read_tariffs(connection, [hall_id], now).get(hall_id)


def read_tariffs(connection: Connection, hall_ids: Sequence[UUID], now: datetime) -> dict[UUID, Tariff]:
    """What halls cost at the studio's own `now`; without a tariff in force a hall is missing."""
    found = connection.execute(_TARIFFS, {"hall_ids": list(hall_ids), "now": now})
    return {row[0]: _tariff(*row[1:]) for row in found}


def read_extras(connection: Connection, hall_id: UUID | None = None) -> list[Extra]:
    """What is lent now: with one hall or any, or in the whole studio. By name, EXTRAS_SHOWN at most."""
    return [Extra(*row) for row in connection.execute(_EXTRAS, {"hall_id": hall_id})]


def read_taken(
    connection: Connection, hall_ids: Sequence[UUID], window: Span, except_booking: UUID | None = None
) -> dict[UUID, list[Span]]:
    """When halls are taken in the window or so near to it that a buffer reaches in, in one statement for all.

    Live rows only, already widened by their own buffers, in order; a hall that is never taken has none. What
    `except_booking` has itself is left out.
    """
    near = taken_window(window)
    statement, asked = _ALL_TAKEN, [list(hall_ids), near.starts_at, near.ends_at]
    if except_booking is not None:
        statement, asked = _TAKEN_BY_OTHERS, [*asked, except_booking]
    driver = connection.connection.driver_connection
    assert driver is not None, "the connection is open"
    taken: dict[UUID, list[Span]] = {hall_id: [] for hall_id in hall_ids}
    # The driver's own cursor, binary: there may be a hundred thousand times, and this is most of an answer.
    with driver.cursor(binary=True) as cursor:
        for hall_id, starts, ends in cursor.execute(statement, asked):
            taken[hall_id] = list(map(Span, starts, ends))
    return taken


def read_uses(
    connection: Connection, extra_ids: Iterable[UUID], span: Span, except_booking: UUID | None = None
) -> dict[UUID, list[Use]]:
    """How many of each extra are lent in the time, but for those that `except_booking` has itself."""
    uses: dict[UUID, list[Use]] = {extra_id: [] for extra_id in extra_ids}
    asked = {
        "extra_ids": list(uses),
        "starts_at": span.starts_at,
        "ends_at": span.ends_at,
        "except_booking": except_booking,
    }
    for row in connection.execute(_USES, asked):
        uses[row.extra_id].append(Use(Span(row.starts_at, row.ends_at), row.quantity))
    return uses


def _hall(row: Row[tuple[object, ...]]) -> Hall:
    return Hall(
        id=row.id,
        studio_id=row.studio_id,
        name=row.name,
        description=row.description,
        capacity=row.capacity,
        equipment=tuple(row.equipment),
        is_active=row.is_active,
        currency=row.currency,
        rules=_rules(*row[8:]),
    )


@lru_cache(KNOWN_LIMIT)
def _rules(timezone: str, hours: str, *minutes: int) -> HallRules:
    return HallRules(timezone, read_hours(orjson.loads(hours)), *minutes)


@lru_cache(KNOWN_LIMIT)
def _tariff(
    tariff_id: UUID,
    currency: str,
    per_hour_minor: int,
    rates: str,
    duration_tiers: str,
    people_included: int,
    per_person_hour_minor: int,
    rounding_minor: int,
) -> Tariff:
    return Tariff(
        id=tariff_id,
        currency=currency,
        per_hour_minor=per_hour_minor,
        rates=read_rates(orjson.loads(rates)),
        duration_tiers=read_tiers(orjson.loads(duration_tiers)),
        people_included=people_included,
        per_person_hour_minor=per_person_hour_minor,
        rounding_minor=rounding_minor,
    )
