"""Pickers: a few things that match what was typed, so that no form ever loads a table."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from babel.numbers import format_currency, get_currency_precision
from babel.units import format_unit
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.desk import Desk
from admin_api.listings.searching import SEARCH_LENGTH_LIMIT, containing, matching_customers
from admin_api.queries.ids import among, find_uuid
from admin_api.walls import GuardedSession
from models.tables import Customer, Plan, Price
from storage.catalog import get_calendar
from web.problems import invalid
from web.strict import UnstorableText, storable
from web.views import View

CHOICES_LIMIT: Final = 20

LookUp = Literal["customers", "prices", "plans"]


class Choice(View):
    id: UUID
    text: str


def look_up(desk: Desk, what: LookUp, term: str) -> list[Choice]:
    """At most CHOICES_LIMIT that match; the newest where nothing was typed. An id finds the thing itself.

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


def _named(term: str, key: InstrumentedAttribute[UUID]) -> list[ColumnElement[bool]]:
    wanted = find_uuid(term)
    if wanted is not None:
        return [key == wanted]
    found = containing(Plan.name, Plan.code)(term) if term else None
    return [] if found is None else [found]


def _price_text(row: Row[*tuple[Any, ...]], locale: str) -> str:
    amount = Decimal(row.amount_minor).scaleb(-get_currency_precision(row.currency))
    period = format_unit(row.period_count, f"duration-{row.period_unit}", locale=locale)
    return f"{row.name} · {format_currency(amount, row.currency, locale=locale)} · {period}"


Reader = Callable[[GuardedSession, str, Desk], list[Choice]]

LOOK_UP_PERMISSIONS: Final[Mapping[LookUp, str]] = {
    "customers": "customers.read",
    "prices": "catalog.read",
    "plans": "catalog.read",
}
_READERS: Final[Mapping[LookUp, Reader]] = {"customers": _customers, "prices": _prices, "plans": _plans}
