"""What is for sale: active plans, each with the price in force per billing period."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from client_api.views import PlanView, PriceView
from storage.catalog import IN_FORCE
from web.views import Money

PRICES_LIMIT: Final = 500

_LIST = text(f"""
    SELECT plan.id AS plan_id, code, name, description, in_force.id, amount_minor, currency, period_unit,
        period_count
    FROM plan JOIN ({IN_FORCE}) AS in_force ON in_force.plan_id = plan.id
    WHERE is_active ORDER BY plan.created_at, plan.id, amount_minor, in_force.id LIMIT {PRICES_LIMIT}
""")  # noqa: S608


def price_view(row: Row[tuple[object, ...]]) -> PriceView:
    """From a row with `id`, `amount_minor`, `currency`, `period_unit`, `period_count`."""
    return PriceView(
        id=row.id,
        amount=Money(amount_minor=row.amount_minor, currency=row.currency),
        period_unit=row.period_unit,
        period_count=row.period_count,
    )


def list_plans(connection: Connection, now: datetime) -> list[PlanView]:
    """In the order they were made, prices from low to high; PRICES_LIMIT prices at most."""
    plans: dict[UUID, PlanView] = {}
    for row in connection.execute(_LIST, {"now": now}):
        plan = plans.setdefault(
            row.plan_id,
            PlanView(id=row.plan_id, code=row.code, name=row.name, description=row.description, prices=[]),
        )
        plan.prices.append(price_view(row))
    return list(plans.values())
