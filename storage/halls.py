"""A studio's halls, what their time costs, extras and booking terms: made, read and changed.

Called by the admin in the transaction of the studio, and by whoever sets one up. Bookings keep what they were
made with, whatever is changed here. Making is idempotent by id. A tariff is never changed: setting one locks
its hall, so that two people who set tariffs at once come one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from bus.messages import PEOPLE_LIMIT
from kit.canonical import canonical_json
from kit.errors import NotFound

TARIFFS_LIMIT: Final = 1_000
# Included, so many people are everybody.
EVERYBODY: Final = PEOPLE_LIMIT
# JSON columns, bound as text.
_JSON: Final = frozenset({"hours", "rates", "duration_tiers", "cancellation_terms"})
_HALL_COLUMNS: Final = (
    "name", "description", "capacity", "equipment", "hours", "step_minutes", "minutes_min", "minutes_max",
    "buffer_before_minutes", "buffer_after_minutes", "notice_minutes", "horizon_days", "position",
    "is_active",
)  # fmt: skip
_EXTRA_COLUMNS: Final = ("name", "amount_minor", "stock", "is_active")
_TERMS_COLUMNS: Final = (
    "hold_seconds", "staff_hold_seconds", "quote_seconds", "holds_limit", "on_site_limit", "pays_on_site",
    "late_money", "reschedule_hours_before", "cancellation_terms",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHall:
    """A room whose time is sold; `hours` as `booking.rules.calendar.read_hours` reads them."""

    id: UUID
    studio_id: UUID
    name: str
    capacity: int
    hours: Sequence[Mapping[str, object]]
    description: str = ""
    equipment: Sequence[str] = ()
    step_minutes: int = 15
    minutes_min: int = 60
    minutes_max: int = 720
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    notice_minutes: int = 60
    horizon_days: int = 90
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTariff:
    """What a hall costs from then on; `rates` and `duration_tiers` as `booking.rules.prices` reads them."""

    id: UUID
    studio_id: UUID
    hall_id: UUID
    per_hour_minor: int
    effective_from: datetime
    rates: Sequence[Mapping[str, object]] = ()
    duration_tiers: Sequence[Mapping[str, object]] = ()
    people_included: int = EVERYBODY
    per_person_hour_minor: int = 0
    rounding_minor: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExtra:
    """What is lent beside one hall, or any of the studio's (`hall_id` None). No `stock`: without end."""

    id: UUID
    studio_id: UUID
    name: str
    unit: Literal["hour", "booking"]
    amount_minor: int
    hall_id: UUID | None = None
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """One version of what a hall's time costs; `rates` and `duration_tiers` are JSON."""

    version: int
    effective_from: datetime
    per_hour_minor: int
    rates: list[dict[str, Any]]
    duration_tiers: list[dict[str, Any]]
    people_included: int
    per_person_hour_minor: int
    rounding_minor: int


def _read(table: str, columns: Sequence[str], lock: str = "") -> TextClause:
    return text(f"SELECT {', '.join(columns)} FROM {table} WHERE id = :id {lock}")  # noqa: S608


def _write(table: str, columns: Sequence[str]) -> TextClause:
    values = (f"{name} = {f'CAST(:{name} AS jsonb)' if name in _JSON else f':{name}'}" for name in columns)
    return text(f"UPDATE {table} SET {', '.join(values)} WHERE id = :id")  # noqa: S608


_LOCK: Final = "FOR NO KEY UPDATE"
_HALL, _LOCK_HALL = _read("hall", _HALL_COLUMNS), _read("hall", _HALL_COLUMNS, _LOCK)
_EXTRA, _LOCK_EXTRA = _read("extra", _EXTRA_COLUMNS), _read("extra", _EXTRA_COLUMNS, _LOCK)
_TERMS, _LOCK_TERMS = _read("studio", _TERMS_COLUMNS), _read("studio", _TERMS_COLUMNS, _LOCK)
_CHANGE_HALL = _write("hall", _HALL_COLUMNS)
_CHANGE_EXTRA = _write("extra", _EXTRA_COLUMNS)
_CHANGE_TERMS = _write("studio", _TERMS_COLUMNS)
_TARIFFS = text(f"""
    SELECT version, effective_from, per_hour_minor, rates, duration_tiers, people_included,
        per_person_hour_minor, rounding_minor
    FROM tariff WHERE hall_id = :hall_id ORDER BY version DESC LIMIT {TARIFFS_LIMIT}
""")  # noqa: S608
_FIRST_TERMS = text("""
    UPDATE studio SET cancellation_terms = CAST(:cancellation_terms AS jsonb),
        reschedule_hours_before = :reschedule_hours_before
    WHERE id = :id AND NOT EXISTS (SELECT FROM hall WHERE studio_id = :id)
""")
_NEW_HALL = text("""
    INSERT INTO hall (id, studio_id, name, description, capacity, equipment, hours, step_minutes, minutes_min,
        minutes_max, buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, position)
    VALUES (:id, :studio_id, :name, :description, :capacity, :equipment, CAST(:hours AS jsonb),
        :step_minutes, :minutes_min, :minutes_max, :buffer_before_minutes, :buffer_after_minutes,
        :notice_minutes, :horizon_days, :position)
    ON CONFLICT (id) DO NOTHING
""")
_NEW_TARIFF = text("""
    INSERT INTO tariff (id, studio_id, hall_id, version, currency, per_hour_minor, rates, duration_tiers,
        people_included, per_person_hour_minor, rounding_minor, effective_from)
    SELECT :id, :studio_id, :hall_id, coalesce(max(t.version), 0) + 1, s.currency, :per_hour_minor,
        CAST(:rates AS jsonb), CAST(:duration_tiers AS jsonb), :people_included,
        :per_person_hour_minor, :rounding_minor, :effective_from
    FROM studio s LEFT JOIN tariff t ON t.hall_id = :hall_id
    WHERE s.id = :studio_id GROUP BY s.currency
    ON CONFLICT (id) DO NOTHING
""")
_NEW_EXTRA = text("""
    INSERT INTO extra (id, studio_id, hall_id, name, unit, amount_minor, stock)
    VALUES (:id, :studio_id, :hall_id, :name, :unit, :amount_minor, :stock) ON CONFLICT (id) DO NOTHING
""")


def set_booking_terms(
    connection: Connection,
    studio_id: UUID,
    *,
    cancellation_terms: Sequence[Mapping[str, int]],
    reschedule_hours_before: int,
) -> None:
    """How a studio lets a booking go; tiers as `booking.rules.terms.read_terms` reads them.

    Once the studio has a hall this changes nothing: by then the terms are the managers' own.
    """
    connection.execute(
        _FIRST_TERMS,
        {
            "id": studio_id,
            "cancellation_terms": canonical_json([*cancellation_terms]).decode(),
            "reschedule_hours_before": reschedule_hours_before,
        },
    )


def create_hall(connection: Connection, hall: NewHall) -> None:
    """A hall without a tariff yet. Idempotent by id."""
    row = asdict(hall) | {"equipment": [*hall.equipment], "hours": canonical_json([*hall.hours]).decode()}
    connection.execute(_NEW_HALL, row)


def create_tariff(connection: Connection, tariff: NewTariff) -> None:
    """The next version of what a hall costs, in the studio's currency. Idempotent by id."""
    row = asdict(tariff) | {
        "rates": canonical_json([*tariff.rates]).decode(),
        "duration_tiers": canonical_json([*tariff.duration_tiers]).decode(),
    }
    connection.execute(_NEW_TARIFF, row)


def create_extra(connection: Connection, extra: NewExtra) -> None:
    """Something to lend. Idempotent by id."""
    connection.execute(_NEW_EXTRA, asdict(extra))


def get_hall(connection: Connection, hall_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    """The columns that may change. Raises NotFound."""
    return _get(connection, _LOCK_HALL if lock else _HALL, hall_id, "hall")


def change_hall(connection: Connection, hall_id: UUID, columns: Mapping[str, object]) -> None:
    """Writes the columns of `get_hall`, of a hall that the caller has locked. Raises IntegrityError for a
    name that another has."""
    connection.execute(_CHANGE_HALL, _bound(columns, hall_id))


def get_extra(connection: Connection, extra_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    """The columns that may change. Raises NotFound."""
    return _get(connection, _LOCK_EXTRA if lock else _EXTRA, extra_id, "extra")


def change_extra(connection: Connection, extra_id: UUID, columns: Mapping[str, object]) -> None:
    """Writes the columns of `get_extra`, as `change_hall` does."""
    connection.execute(_CHANGE_EXTRA, _bound(columns, extra_id))


def get_booking_terms(connection: Connection, studio_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    """How the studio takes bookings: holds, quotes, late money, moving and cancellation. Raises NotFound."""
    return _get(connection, _LOCK_TERMS if lock else _TERMS, studio_id, "studio")


def change_booking_terms(connection: Connection, studio_id: UUID, columns: Mapping[str, object]) -> None:
    """Writes the columns of `get_booking_terms`."""
    connection.execute(_CHANGE_TERMS, _bound(columns, studio_id))


def list_tariffs(connection: Connection, hall_id: UUID) -> list[TariffVersion]:
    """The newest first, TARIFFS_LIMIT at most."""
    return [TariffVersion(*row) for row in connection.execute(_TARIFFS, {"hall_id": hall_id})]


def _bound(columns: Mapping[str, object], row_id: UUID) -> dict[str, object]:
    written = {
        name: canonical_json(value).decode() if name in _JSON else value for name, value in columns.items()
    }
    return {**written, "id": row_id}


def _get(connection: Connection, statement: TextClause, row_id: UUID, what: str) -> dict[str, Any]:
    row = connection.execute(statement, {"id": row_id}).mappings().one_or_none()
    if row is None:
        raise NotFound(what=what, id=str(row_id))
    return dict(row)
