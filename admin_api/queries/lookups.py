"""Pickers: a few things that match what was typed, so that no form ever loads a table."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.numbers import format_currency, get_currency_precision
from babel.units import format_unit
from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.desk import Desk
from admin_api.listings.searching import SEARCH_LENGTH_LIMIT, containing, matching_customers
from admin_api.queries.ids import among, find_uuid
from admin_api.walls import GuardedSession
from models.tables import Booking, Customer, Extra, Hall, Plan, Price, Studio
from storage.catalog import get_calendar
from web.problems import invalid
from web.strict import UnstorableText, storable
from web.views import View

CHOICES_LIMIT: Final = 20
_CUSTOMER: Final = func.coalesce(func.nullif(Customer.name, ""), Customer.email)
# Of what a form offers all, without a search.
SHORT_LIMIT: Final = 200

LookUp = Literal["customers", "prices", "plans", "halls", "extras", "bookings"]


class Choice(View):
    id: UUID
    text: str


def look_up(desk: Desk, what: LookUp, term: str) -> list[Choice]:
    """At most CHOICES_LIMIT that match, SHORT_LIMIT of halls and extras; the newest where nothing was typed.
    An id finds the thing itself.

    Raises Problem 403, and 422 for a term that cannot be looked for.
    """
    desk.require(LOOK_UP_PERMISSIONS[what])
    term = _checked(term.strip())
    with desk.session() as session:
        return _READERS[what](session, term, desk)


def _checked(term: str) -> str:
    try:
        if len(term) > SEARCH_LENGTH_LIMIT:
            raise UnstorableText
        return storable(term)
    except UnstorableText:
        raise invalid(("query.term", "not_a_term")) from None


def _customers(session: GuardedSession, term: str, _desk: Desk) -> list[Choice]:
    found = select(Customer.id, Customer.name, Customer.email)
    wanted = find_uuid(term)
    if wanted is not None:
        found = found.where(Customer.id == wanted)
    elif term:
        found = found.where(among(Customer.id, matching_customers(session, term)))
    rows = session.execute(found.order_by(Customer.id.desc()).limit(CHOICES_LIMIT))
    return [Choice(id=row.id, text=f"{row.name} · {row.email}" if row.name else row.email) for row in rows]


def _plans(session: GuardedSession, term: str, _desk: Desk) -> list[Choice]:
    found = select(Plan.id, Plan.name, Plan.code).where(Plan.is_active, *_named(term, Plan.id))
    rows = session.execute(found.order_by(Plan.code).limit(CHOICES_LIMIT))
    return [Choice(id=row.id, text=f"{row.name} · {row.code}") for row in rows]


def _prices(session: GuardedSession, term: str, desk: Desk) -> list[Choice]:
    """What is for sale now: of each active plan's periods the version in force."""
    now = get_calendar(session.connection(), desk.studio_id).now(desk.now)
    found = (
        select(Price.id, Plan.name, Price.amount_minor, Price.currency, Price.period_unit, Price.period_count)
        .join(Plan, Plan.id == Price.plan_id)
        .where(Plan.is_active, Price.effective_from <= now, *_named(term, Price.id))
        .ext(distinct_on(Price.plan_id, Price.period_unit, Price.period_count))
        .order_by(
            Price.plan_id.desc(),
            Price.period_unit,
            Price.period_count,
            Price.effective_from.desc(),
            Price.version.desc(),
        )
        .limit(CHOICES_LIMIT)
    )
    return [Choice(id=row.id, text=_price_text(row, desk.person.locale)) for row in session.execute(found)]


def _halls(session: GuardedSession, term: str, _desk: Desk) -> list[Choice]:
    """Those for sale, in the studio's order."""
    found = select(Hall.id, Hall.name, Hall.capacity).where(
        Hall.is_active, *_matching(term, Hall.id, containing(Hall.name))
    )
    rows = session.execute(found.order_by(Hall.position, Hall.name).limit(SHORT_LIMIT))
    return [Choice(id=row.id, text=f"{row.name} · {row.capacity}") for row in rows]


def _extras(session: GuardedSession, term: str, desk: Desk) -> list[Choice]:
    """Those that are lent, with the hall that one belongs to."""
    currency = session.scalars(select(Studio.currency)).one()
    found = (
        select(Extra.id, Extra.name, Extra.amount_minor, Hall.name.label("hall"))
        .outerjoin(Hall, Hall.id == Extra.hall_id)
        .where(Extra.is_active, *_matching(term, Extra.id, containing(Extra.name)))
        .order_by(Extra.name)
        .limit(SHORT_LIMIT)
    )
    return [Choice(id=row.id, text=_extra_text(row, currency, desk)) for row in session.execute(found)]


def _extra_text(row: Row[*tuple[Any, ...]], currency: str, desk: Desk) -> str:
    amount = _amount_text(row.amount_minor, currency, desk.person.locale)
    return " · ".join(part for part in (row.name, row.hall, amount) if part)


def name_bookings(desk: Desk, booking_ids: Iterable[UUID]) -> list[Choice]:
    """Those of a list of ids that are here, in the order of their times. Raises Problem 403."""
    desk.require(LOOK_UP_PERMISSIONS["bookings"])
    with desk.session() as session:
        found = _bookings_where(session, desk, among(Booking.id, booking_ids))
    return sorted(found, key=lambda choice: choice.text)


def _bookings(session: GuardedSession, term: str, desk: Desk) -> list[Choice]:
    """By id, or of the customers that the words match."""
    wanted = find_uuid(term)
    if wanted is not None:
        return _bookings_where(session, desk, Booking.id == wanted)
    found = [among(Booking.customer_id, matching_customers(session, term))] if term else []
    return _bookings_where(session, desk, *found, limit=CHOICES_LIMIT)


def _bookings_where(
    session: GuardedSession, desk: Desk, *conditions: ColumnElement[bool], limit: int = SHORT_LIMIT
) -> list[Choice]:
    """When, where and whose; the newest first."""
    zone = ZoneInfo(get_calendar(session.connection(), desk.studio_id).timezone)
    found = (
        select(Booking.id, Booking.starts_at, Hall.name, _CUSTOMER.label("customer"))
        .join(Hall, Hall.id == Booking.hall_id)
        .join(Customer, Customer.id == Booking.customer_id)
        .where(*conditions)
        .order_by(Booking.id.desc())
        .limit(limit)
    )
    return [
        Choice(
            id=row.id,
            text=f"{row.starts_at.astimezone(zone):%Y-%m-%d %H:%M} · {row.name} · {row.customer}",
        )
        for row in session.execute(found)
    ]


def _named(term: str, key: InstrumentedAttribute[UUID]) -> list[ColumnElement[bool]]:
    return _matching(term, key, containing(Plan.name, Plan.code))


def _matching(
    term: str, key: InstrumentedAttribute[UUID], condition: Callable[[str], ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    wanted = find_uuid(term)
    if wanted is not None:
        return [key == wanted]
    return [condition(term)] if term else []


def _price_text(row: Row[*tuple[Any, ...]], locale: str) -> str:
    amount = _amount_text(row.amount_minor, row.currency, locale)
    period = format_unit(row.period_count, f"duration-{row.period_unit}", locale=locale)
    return f"{row.name} · {amount} · {period}"


def _amount_text(amount_minor: int, currency: str, locale: str) -> str:
    amount = Decimal(amount_minor).scaleb(-get_currency_precision(currency))
    return str(format_currency(amount, currency, locale=locale))


Reader = Callable[[GuardedSession, str, Desk], list[Choice]]

LOOK_UP_PERMISSIONS: Final[Mapping[LookUp, str]] = {
    "customers": "customers.read",
    "prices": "catalog.read",
    "plans": "catalog.read",
    "halls": "catalog.read",
    "extras": "catalog.read",
    "bookings": "bookings.read",
}
_READERS: Final[Mapping[LookUp, Reader]] = {
    "customers": _customers,
    "prices": _prices,
    "plans": _plans,
    "halls": _halls,
    "extras": _extras,
    "bookings": _bookings,
}
