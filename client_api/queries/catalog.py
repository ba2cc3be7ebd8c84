"""What is for sale: active plans, each with the price in force per billing period."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from client_api.views import PlanView, PriceView
from web.views import Money

PRICES_LIMIT: Final = 500

# Per plan and period the version that began last; one that begins later is not for sale yet.
_IN_FORCE = """
    SELECT DISTINCT ON (plan_id, period_unit, period_count) plan_id, id, amount_minor, currency, period_unit,
        period_count
    FROM price WHERE effective_from <= :now
    ORDER BY plan_id, period_unit, period_count, effective_from DESC, version DESC
"""
_LIST = text(f"""
    SELECT plan.id AS plan_id, code, name, description, in_force.id, amount_minor, currency, period_unit,
        period_count
    FROM plan JOIN ({_IN_FORCE}) AS in_force ON in_force.plan_id = plan.id
    WHERE is_active ORDER BY plan.created_at, plan.id, amount_minor, in_force.id LIMIT {PRICES_LIMIT}
""")  # noqa: S608
_FIND_PRICE = text(f"""
    SELECT in_force.id FROM ({_IN_FORCE}) AS in_force JOIN plan ON plan.id = in_force.plan_id
    WHERE is_active AND in_force.id = :price_id
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


def is_for_sale(connection: Connection, price_id: UUID, now: datetime) -> bool:
    return connection.scalar(_FIND_PRICE, {"price_id": price_id, "now": now}) is not None
