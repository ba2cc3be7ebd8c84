"""The page of a plan: every version of its prices, which of them hold now, and who pays them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, select

from admin_api.desk import Desk
from admin_api.listings.catalog import PLANS, PlanRow
from admin_api.queries.ids import among
from admin_api.walls import GuardedSession
from billing.prices import PriceVersion, find_in_force
from models.tables import Price, Subscription
from storage.catalog import get_calendar
from web.views import Money, View

VERSIONS_LIMIT: Final = 500


class VersionView(View):
    """One version of a price. `standing` says whether it holds now."""

    id: UUID
    period_unit: str
    period_count: int
    version: int
    amount: Money
    effective_from: datetime
    standing: Literal["past", "current", "coming"]
    active_subscriptions: int


class PlanDetail(PlanRow):
    prices: Sequence[VersionView]


def plan_detail(desk: Desk, plan_id: UUID) -> PlanDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = PLANS.get(session, plan_id)
        assert isinstance(head, PlanRow)
        now = get_calendar(session.connection(), desk.studio_id).now(desk.now)
        return PlanDetail(**dict(head), prices=_versions(session, plan_id, now))


def _versions(session: GuardedSession, plan_id: UUID, now: datetime) -> list[VersionView]:
    """By period, the newest version first."""
    found = (
        select(Price)
        .where(Price.plan_id == plan_id)
        .order_by(Price.period_unit, Price.period_count, Price.version.desc())
        .limit(VERSIONS_LIMIT)
    )
    prices = session.scalars(found).all()
    active = _active(session, [price.id for price in prices])
    shown = []
    for _, group in groupby(prices, lambda price: (price.period_unit, price.period_count)):
        versions = list(group)
        current = find_in_force(
            [PriceVersion(each.version, each.amount_minor, each.effective_from) for each in versions], now
        )
        in_force = current.version if current else None
        shown += [_view(each, in_force, now, active.get(each.id, 0)) for each in versions]
    return shown


def _view(price: Price, in_force: int | None, now: datetime, active: int) -> VersionView:
    standing: Literal["past", "current", "coming"] = "coming" if price.effective_from > now else "past"
    return VersionView(
        id=price.id,
        period_unit=price.period_unit,
        period_count=price.period_count,
        version=price.version,
        amount=Money(amount_minor=price.amount_minor, currency=price.currency),
        effective_from=price.effective_from,
        standing="current" if price.version == in_force else standing,
        active_subscriptions=active,
    )


def _active(session: GuardedSession, price_ids: Sequence[UUID]) -> dict[UUID, int]:
    counted = (
        select(Subscription.price_id, func.count())
        .where(among(Subscription.price_id, price_ids), Subscription.state == "active")
        .group_by(Subscription.price_id)
    )
    return dict(session.execute(counted).all())
