"""Lists of halls, of what their time costs, of extras, and how the studio takes bookings. Short by nature."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, select

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, containing, holding
from admin_api.queries.ids import among
from admin_api.queries.names import Named, hall_names
from admin_api.walls import GuardedSession
from models.tables import Extra, Hall, Studio, Tariff
from storage.halls import EVERYBODY
from web.views import Money, View

Rules = list[dict[str, JsonValue]]


class HallRow(View):
    """Lengths, buffers and notice are minutes. `hours` are rules of weekdays (1 is Monday) and seasons."""

    id: UUID
    name: str
    description: str
    capacity: int
    equipment: list[str]
    hours: Rules
    step_minutes: int
    minutes_min: int
    minutes_max: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    notice_minutes: int
    horizon_days: int
    position: int
    is_active: bool
    created_at: datetime


class TariffRow(View):
    """One version of what a hall's time costs. Without `people_included` nobody costs more."""

    id: UUID
    hall: Named
    version: int
    per_hour: Money
    rates: Rules
    duration_tiers: Rules
    people_included: int | None
    per_person_hour: Money
    rounding: Money
    effective_from: datetime
    created_at: datetime


class ExtraRow(View):
    """Of one hall, or of the whole studio. Without `stock` there are as many as are wanted."""

    id: UUID
    name: str
    hall: Named | None
    unit: str
    amount: Money
    stock: int | None
    is_active: bool
    created_at: datetime


class BookingTermsRow(View):
    """How the studio takes bookings; its id is the studio's."""

    id: UUID
    name: str
    hold_seconds: int
    staff_hold_seconds: int
    quote_seconds: int
    holds_limit: int
    pays_on_site: bool
    on_site_limit: int
    late_money: str
    reschedule_hours_before: int
    cancellation_terms: Rules


def _hall_rows(_session: GuardedSession, rows: Rows) -> Sequence[HallRow]:
    return [HallRow.model_validate(dict(row._mapping)) for row in rows]


def _terms_rows(_session: GuardedSession, rows: Rows) -> Sequence[BookingTermsRow]:
    return [BookingTermsRow.model_validate(dict(row._mapping)) for row in rows]


def _tariff_rows(session: GuardedSession, rows: Rows) -> Sequence[TariffRow]:
    halls = hall_names(session, (row.hall_id for row in rows))
    return [
        TariffRow(
            id=row.id,
            hall=halls[row.hall_id],
            version=row.version,
            per_hour=Money(amount_minor=row.per_hour_minor, currency=row.currency),
            rates=row.rates,
            duration_tiers=row.duration_tiers,
            people_included=None if row.people_included == EVERYBODY else row.people_included,
            per_person_hour=Money(amount_minor=row.per_person_hour_minor, currency=row.currency),
            rounding=Money(amount_minor=row.rounding_minor, currency=row.currency),
            effective_from=row.effective_from,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _extra_rows(session: GuardedSession, rows: Rows) -> Sequence[ExtraRow]:
    halls = hall_names(session, (row.hall_id for row in rows))
    currency = session.scalars(select(Studio.currency)).one()
    return [
        ExtraRow(
            id=row.id,
            name=row.name,
            hall=halls.get(row.hall_id),
            unit=row.unit,
            amount=Money(amount_minor=row.amount_minor, currency=currency),
            stock=row.stock,
            is_active=row.is_active,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _of_halls(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    found = session.scalars(select(Hall.id).where(containing(Hall.name)(term))).all()
    return among(Tariff.hall_id, found) if found else None


HALLS: Final = Listing(
    name="halls",
    model=Hall,
    permission="catalog.read",
    view=HallRow,
    columns=("name", "capacity", "hours", "is_active"),
    fields=(
        Hall.id,
        Hall.name,
        Hall.description,
        Hall.capacity,
        Hall.equipment,
        Hall.hours,
        Hall.step_minutes,
        Hall.minutes_min,
        Hall.minutes_max,
        Hall.buffer_before_minutes,
        Hall.buffer_after_minutes,
        Hall.notice_minutes,
        Hall.horizon_days,
        Hall.position,
        Hall.is_active,
        Hall.created_at,
    ),
    present=_hall_rows,
    sorts={"position": Hall.position, "name": Hall.name, "created_at": Hall.created_at},
    default_sort="position",
    filters=(Filter("is_active", Hall.is_active, "flag"),),
    search=by_ids_or((Hall.id,), holding(Hall.name, Hall.description)),
)

TARIFFS: Final = Listing(
    name="tariffs",
    model=Tariff,
    permission="catalog.read",
    view=TariffRow,
    columns=("hall", "version", "per_hour", "rates", "duration_tiers", "effective_from"),
    fields=(
        Tariff.id,
        Tariff.hall_id,
        Tariff.version,
        Tariff.currency,
        Tariff.per_hour_minor,
        Tariff.rates,
        Tariff.duration_tiers,
        Tariff.people_included,
        Tariff.per_person_hour_minor,
        Tariff.rounding_minor,
        Tariff.effective_from,
        Tariff.created_at,
    ),
    present=_tariff_rows,
    sorts={"created_at": Tariff.created_at},
    default_sort="-created_at",
    filters=(
        Filter("hall", Tariff.hall_id, "uuid"),
        Filter("effective_from", Tariff.effective_from, "date_from"),
        Filter("effective_to", Tariff.effective_from, "date_to"),
    ),
    search=by_ids_or((Tariff.id, Tariff.hall_id), _of_halls),
)

EXTRAS: Final = Listing(
    name="extras",
    model=Extra,
    permission="catalog.read",
    view=ExtraRow,
    columns=("name", "hall", "amount", "unit", "stock", "is_active"),
    fields=(
        Extra.id,
        Extra.name,
        Extra.hall_id,
        Extra.unit,
        Extra.amount_minor,
        Extra.stock,
        Extra.is_active,
        Extra.created_at,
    ),
    present=_extra_rows,
    sorts={"name": Extra.name, "created_at": Extra.created_at},
    default_sort="name",
    filters=(
        Filter("hall", Extra.hall_id, "uuid"),
        Filter("unit", Extra.unit, "choice", ("hour", "booking")),
        Filter("is_active", Extra.is_active, "flag"),
    ),
    search=by_ids_or((Extra.id, Extra.hall_id), holding(Extra.name)),
)

# The one studio that the session sees.
BOOKING_TERMS: Final = Listing(
    name="booking_terms",
    model=Studio,
    permission="catalog.read",
    view=BookingTermsRow,
    columns=("name", "cancellation_terms", "reschedule_hours_before", "pays_on_site", "late_money"),
    fields=(
        Studio.id,
        Studio.name,
        Studio.hold_seconds,
        Studio.staff_hold_seconds,
        Studio.quote_seconds,
        Studio.holds_limit,
        Studio.pays_on_site,
        Studio.on_site_limit,
        Studio.late_money,
        Studio.reschedule_hours_before,
        Studio.cancellation_terms,
    ),
    present=_terms_rows,
    sorts={"name": Studio.name},
    default_sort="name",
    search=by_ids_or((Studio.id,), holding(Studio.name)),
)
