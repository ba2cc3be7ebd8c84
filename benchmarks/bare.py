"""`python -m benchmarks.bare`: the rival of `GET /api/v1/subscriptions`, in the least FastAPI.

The same statement over the same pool and role, in one transaction that is told its studio as row-level
security wants it; the same JSON through a response model; the same uvicorn. None of what the API does
besides: no token, no host, no sign-in that may have ended, no correlation id, no headers, no metrics. Started
by `benchmarks.reads`, which refuses to measure when the two answers differ.
"""

import os
from datetime import datetime
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, JsonValue
from sqlalchemy import text

from runtime.ports import LOOPBACK
from storage.database import create_role_engine, tenant
from web.serving import serve

LIMIT = 20
_LIST = text("""
    SELECT subscription.id, subscription.state, plan.name AS plan_name, price.id AS price_id,
        price.amount_minor, price.currency, price.period_unit, price.period_count, current_period_start,
        current_period_end, cancel_at_period_end, canceled_at, subscription.created_at, subscription.metadata,
        (SELECT invoice.id FROM invoice WHERE invoice.subscription_id = subscription.id
         ORDER BY invoice.state IN ('void', 'expired'), period_start DESC NULLS LAST, invoice.id DESC
         LIMIT 1) AS latest_invoice_id
    FROM subscription JOIN price ON price.id = subscription.price_id JOIN plan ON plan.id = price.plan_id
    WHERE subscription.customer_id = :customer_id
      AND (CAST(:state AS text) IS NULL OR subscription.state = :state)
      AND (CAST(:cursor AS uuid) IS NULL OR subscription.id < :cursor)
    ORDER BY subscription.id DESC LIMIT :limit + 1
""")


class Money(BaseModel):
    amount_minor: int
    currency: str


class Price(BaseModel):
    id: UUID
    amount: Money
    period_unit: str
    period_count: int


class Subscription(BaseModel):
    id: UUID
    state: str
    plan_name: str
    price: Price
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    created_at: datetime
    latest_invoice_id: UUID | None
    metadata: dict[str, JsonValue]
    allowed_actions: list[str]


class Subscriptions(BaseModel):
    items: list[Subscription]
    next_cursor: UUID | None


app = FastAPI()
engine = create_role_engine(os.environ["DATABASE_URL"], "billbus_api", "bare")


@app.get("/subscriptions")
def list_subscriptions(studio_id: UUID, customer_id: UUID, state: str) -> Subscriptions:
    sought = {"customer_id": customer_id, "state": state, "cursor": None, "limit": LIMIT}
    with tenant(engine, studio_id) as connection:
        rows = connection.execute(_LIST, sought).all()
    items = [
        Subscription(
            id=row.id,
            state=row.state,
            plan_name=row.plan_name,
            price=Price(
                id=row.price_id,
                amount=Money(amount_minor=row.amount_minor, currency=row.currency),
                period_unit=row.period_unit,
                period_count=row.period_count,
            ),
            current_period_start=row.current_period_start,
            current_period_end=row.current_period_end,
            cancel_at_period_end=row.cancel_at_period_end,
            canceled_at=row.canceled_at,
            created_at=row.created_at,
            latest_invoice_id=row.latest_invoice_id,
            metadata=row.metadata,
            allowed_actions=["cancel", "cancel_at_period_end"],
        )
        for row in rows
    ]
    return Subscriptions(items=items[:LIMIT], next_cursor=items[LIMIT - 1].id if len(items) > LIMIT else None)


if __name__ == "__main__":
    serve(app, LOOPBACK, int(os.environ["BARE_PORT"]))
