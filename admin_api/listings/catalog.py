"""Lists of what a studio sells: plans, and every version of their prices. Both are short by nature."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, containing, holding
from admin_api.queries.ids import among
from admin_api.queries.names import Named, plan_names
from admin_api.walls import GuardedSession
from models.tables import Plan, Price
from web.views import Money, View


class PlanRow(View):
    id: UUID
    code: str
    name: str
    description: str
    is_active: bool
    created_at: datetime


class PriceRow(View):
    id: UUID
    plan: Named
    version: int
    amount: Money
    period_unit: str
    period_count: int
    effective_from: datetime
    created_at: datetime


def _plan_rows(_session: GuardedSession, rows: Rows) -> Sequence[PlanRow]:
    return [PlanRow.model_validate(row._mapping) for row in rows]


def _price_rows(session: GuardedSession, rows: Rows) -> Sequence[PriceRow]:
    plans = plan_names(session, (row.plan_id for row in rows))
    return [
        PriceRow(
            id=row.id,
            plan=plans[row.plan_id],
            version=row.version,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            period_unit=row.period_unit,
            period_count=row.period_count,
            effective_from=row.effective_from,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _of_plans(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    found = session.scalars(select(Plan.id).where(containing(Plan.name, Plan.code)(term))).all()
    return among(Price.plan_id, found) if found else None


PLANS: Final = Listing(
    name="plans",
    model=Plan,
    permission="catalog.read",
    view=PlanRow,
    columns=("name", "code", "is_active", "created_at"),
    fields=(Plan.id, Plan.code, Plan.name, Plan.description, Plan.is_active, Plan.created_at),
    present=_plan_rows,
    sorts={"created_at": Plan.id, "code": Plan.code},
    default_sort="code",
    filters=(Filter("is_active", Plan.is_active, "flag"),),
    search=by_ids_or((Plan.id,), holding(Plan.name, Plan.code)),
)

PRICES: Final = Listing(
    name="prices",
    model=Price,
    permission="catalog.read",
    view=PriceRow,
    columns=("plan", "version", "amount", "period_unit", "period_count", "effective_from", "created_at"),
    fields=(
        Price.id,
        Price.plan_id,
        Price.version,
        Price.amount_minor,
        Price.currency,
        Price.period_unit,
        Price.period_count,
        Price.effective_from,
        Price.created_at,
    ),
    present=_price_rows,
    sorts={"created_at": Price.id},
    default_sort="-created_at",
    filters=(
        Filter("plan", Price.plan_id, "uuid"),
        Filter("period_unit", Price.period_unit, "choice", ("day", "week", "month", "year")),
        Filter("effective_from", Price.effective_from, "date_from"),
        Filter("effective_to", Price.effective_from, "date_to"),
    ),
    search=by_ids_or((Price.id, Price.plan_id), _of_plans),
)
