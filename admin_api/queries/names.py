"""Names of things that others refer to by id, a page at a time: one query for each kind, none for a row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select, text

from admin_api.queries.ids import among, find_uuid
from admin_api.walls import GuardedSession
from models.tables import Customer, Hall, Invoice, Plan, Price, ProviderAccount, StaffMember
from web.views import Money, View


class Named(View):
    """Another thing, and what people call it."""

    id: UUID
    name: str


class Who(View):
    """Who did something: staff and customers by name, `link` being a customer by a letter's link; others are
    programs, or people at a command line."""

    kind: str
    id: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class PriceTag:
    """A price as rows that refer to it show it."""

    plan: Named
    amount: Money
    period_unit: str
    period_count: int


# The kinds of principals that are people, and what they are there.
_PEOPLES: Final = {"staff": "staff", "customer": "customer", "link": "customer"}
_PEOPLE: Final = text("""
    SELECT 'staff' AS kind, id, name, email FROM staff_member WHERE id = ANY(:ids)
    UNION ALL SELECT 'customer', id, name, email FROM customer WHERE id = ANY(:ids)
""")


def who_of(connection: Connection, principals: Iterable[str]) -> dict[str, Who]:
    """Each principal, resolved; in one query for all."""
    parts = {principal: principal.partition(":") for principal in principals}
    ids = {found for kind, _, rest in parts.values() if (found := find_uuid(rest)) and kind in _PEOPLES}
    rows = connection.execute(_PEOPLE, {"ids": list(ids)}) if ids else ()
    names = {(row.kind, row.id): row.name or row.email for row in rows}
    return {
        principal: Who(
            kind=kind,
            id=(named := find_uuid(rest)),
            name=names.get((_PEOPLES.get(kind), named), rest if not named else ""),
        )
        for principal, (kind, _, rest) in parts.items()
    }


def principals_of(person_ids: Iterable[UUID]) -> list[str]:
    """All that the journal and the audit call these people by, signed in or not."""
    return [f"{kind}:{person_id}" for person_id in person_ids for kind in _PEOPLES]


def customer_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    columns = select(Customer.id, Customer.name, Customer.email)
    rows = session.execute(columns.where(among(Customer.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.name or row.email) for row in rows}


def staff_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    columns = select(StaffMember.id, StaffMember.name, StaffMember.email)
    rows = session.execute(columns.where(among(StaffMember.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.name or row.email) for row in rows}


def invoice_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    """By their numbers; a draft has none."""
    rows = session.execute(select(Invoice.id, Invoice.number).where(among(Invoice.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.number or "") for row in rows}


def plan_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    rows = session.execute(select(Plan.id, Plan.name).where(among(Plan.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.name) for row in rows}


def hall_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    rows = session.execute(select(Hall.id, Hall.name).where(among(Hall.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.name) for row in rows}


def account_names(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, Named]:
    """By what the provider calls them."""
    columns = select(ProviderAccount.id, ProviderAccount.public_id)
    rows = session.execute(columns.where(among(ProviderAccount.id, _present(ids))))
    return {row.id: Named(id=row.id, name=row.public_id) for row in rows}


def price_tags(session: GuardedSession, ids: Iterable[UUID | None]) -> Mapping[UUID, PriceTag]:
    columns = select(
        Price.id, Price.plan_id, Price.amount_minor, Price.currency, Price.period_unit, Price.period_count
    )
    rows = session.execute(columns.where(among(Price.id, _present(ids)))).all()
    plans = plan_names(session, (row.plan_id for row in rows))
    return {
        row.id: PriceTag(
            plans[row.plan_id],
            Money(amount_minor=row.amount_minor, currency=row.currency),
            row.period_unit,
            row.period_count,
        )
        for row in rows
    }


def _present(ids: Iterable[UUID | None]) -> set[UUID]:
    return {each for each in ids if each is not None}
