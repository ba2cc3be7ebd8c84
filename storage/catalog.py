"""What a studio sells and through whom it is paid: what is for sale, for both APIs; writing, for the admin.

Called in the transaction of the studio. A version of a price is never changed; setting one locks its plan, so
that two people who set prices at once come one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from billing.periods import PeriodUnit
from billing.prices import Ending, PriceVersion
from kit.errors import NotFound, Refused

VERSIONS_LIMIT: Final = 1_000
# One group for each day that some period ends on.
ENDINGS_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """A studio's money and time. `clock_offset` is zero outside test studios."""

    timezone: str
    currency: str
    clock_offset: timedelta

    def now(self, at: datetime) -> datetime:
        """The studio's own time when it is `at` everywhere else."""
        return at + self.clock_offset


_CALENDAR = text("""
    SELECT timezone, currency, COALESCE(offset_seconds, 0) AS offset_seconds
    FROM studio LEFT JOIN clock_offset ON clock_offset.studio_id = studio.id WHERE studio.id = :studio_id
""")
_PLAN = text("SELECT name, description, is_active FROM plan WHERE id = :id")
_LOCK_PLAN = text("SELECT name, description, is_active FROM plan WHERE id = :id FOR NO KEY UPDATE")
_CHANGE_PLAN = text(
    "UPDATE plan SET name = :name, description = :description, is_active = :is_active WHERE id = :id"
)
_VERSIONS = text(f"""
    SELECT version, amount_minor, effective_from FROM price
    WHERE plan_id = :plan_id AND period_unit = :unit AND period_count = :count
    ORDER BY version DESC LIMIT {VERSIONS_LIMIT}
""")  # noqa: S608
# Per plan and period the version that began last; one that begins later is not for sale yet.
IN_FORCE: Final = """
    SELECT DISTINCT ON (plan_id, period_unit, period_count) plan_id, id, amount_minor, currency, period_unit,
        period_count
    FROM price WHERE effective_from <= :now
    ORDER BY plan_id, period_unit, period_count, effective_from DESC, version DESC
"""
_FOR_SALE = text(f"""
    SELECT 1 FROM ({IN_FORCE}) AS in_force JOIN plan ON plan.id = in_force.plan_id
    WHERE is_active AND in_force.id = :price_id
""")  # noqa: S608
_LAST_PERIOD = text("""
    SELECT period_unit, period_count FROM price WHERE plan_id = :plan_id ORDER BY created_at DESC, id LIMIT 1
""")
# A period whose invoice is drawn already costs what that says.
_ENDINGS = text(f"""
    SELECT min(ends_at) AS ends_at, count(*) AS count
    FROM (
        SELECT coalesce(renewal.period_end, current_period_end) AS ends_at
        FROM price JOIN subscription ON subscription.price_id = price.id AND subscription.state = 'active'
            AND NOT cancel_at_period_end
        LEFT JOIN invoice renewal ON renewal.subscription_id = subscription.id AND renewal.state = 'open'
            AND renewal.period_start IS NOT NULL
        WHERE price.plan_id = :plan_id AND period_unit = :unit AND period_count = :count
    ) AS renewing
    GROUP BY CAST(ends_at AT TIME ZONE :timezone AS date) ORDER BY 1 LIMIT {ENDINGS_LIMIT}
""")  # noqa: S608
_ACCOUNT = text("SELECT api_url, widget_script_url, is_active FROM provider_account WHERE id = :id")
_LOCK_ACCOUNT = text(
    "SELECT api_url, widget_script_url, is_active FROM provider_account WHERE id = :id FOR NO KEY UPDATE"
)
# Never "or update", as at set-up: whoever cannot read a secret cannot name it in an update either.
_INSERT_ACCOUNT = text("""
    INSERT INTO provider_account (id, studio_id, provider, public_id, sealed_secret, api_url,
        widget_script_url, is_test)
    VALUES (:id, :studio_id, :provider, :public_id, :sealed_secret, :api_url, :widget_script_url, :is_test)
    ON CONFLICT DO NOTHING
""")
_CHANGE_ACCOUNT = text("""
    UPDATE provider_account SET api_url = :api_url, widget_script_url = :widget_script_url,
        is_active = :is_active
    WHERE id = :id
""")
_CHANGE_SECRET = text("UPDATE provider_account SET sealed_secret = :sealed_secret WHERE id = :id")


def is_for_sale(connection: Connection, price_id: UUID, now: datetime) -> bool:
    """Whether it may be taken at the studio's own `now`: its plan is active, no version came after."""
    return connection.scalar(_FOR_SALE, {"price_id": price_id, "now": now}) is not None


def find_last_period(connection: Connection, plan_id: UUID) -> tuple[PeriodUnit, int] | None:
    """The billing period that the plan's newest price is for."""
    row = connection.execute(_LAST_PERIOD, {"plan_id": plan_id}).one_or_none()
    return (row.period_unit, row.period_count) if row else None


def get_calendar(connection: Connection, studio_id: UUID) -> Calendar:
    row = connection.execute(_CALENDAR, {"studio_id": studio_id}).one()
    return Calendar(row.timezone, row.currency, timedelta(seconds=row.offset_seconds))


def get_plan(connection: Connection, plan_id: UUID, *, lock: bool = False) -> dict[str, object]:
    """name, description and is_active. Raises NotFound."""
    return _get(connection, _LOCK_PLAN if lock else _PLAN, plan_id, "plan")


def change_plan(connection: Connection, plan_id: UUID, columns: Mapping[str, object]) -> None:
    """Writes name, description and is_active of a plan that the caller has locked."""
    connection.execute(_CHANGE_PLAN, {**columns, "id": plan_id})


def list_versions(
    connection: Connection, plan_id: UUID, unit: PeriodUnit, period_count: int
) -> Sequence[PriceVersion]:
    """The newest first, VERSIONS_LIMIT at most."""
    of_period = {"plan_id": plan_id, "unit": unit, "count": period_count}
    return [PriceVersion(*row) for row in connection.execute(_VERSIONS, of_period)]


def list_endings(
    connection: Connection, plan_id: UUID, unit: PeriodUnit, period_count: int, timezone: str
) -> Sequence[Ending]:
    """The subscriptions of a plan and billing period that go on, counted by the day after which they renew at
    a price that is not settled yet."""
    of_period = {"plan_id": plan_id, "unit": unit, "count": period_count, "timezone": timezone}
    return [Ending(*row) for row in connection.execute(_ENDINGS, of_period)]


def get_provider_account(
    connection: Connection, account_id: UUID, *, lock: bool = False
) -> dict[str, object]:
    """api_url, widget_script_url and is_active; never the secret. Raises NotFound."""
    return _get(connection, _LOCK_ACCOUNT if lock else _ACCOUNT, account_id, "provider_account")


def create_provider_account(
    connection: Connection,
    account_id: UUID,
    studio_id: UUID,
    columns: Mapping[str, object],
    sealed_secret: bytes,
) -> None:
    """`columns`: provider, public_id, api_url, widget_script_url, is_test. Raises Refused."""
    row = {**columns, "id": account_id, "studio_id": studio_id, "sealed_secret": sealed_secret}
    if connection.execute(_INSERT_ACCOUNT, row).rowcount == 0:
        raise Refused("provider_account_exists")


def change_provider_account(
    connection: Connection, account_id: UUID, columns: Mapping[str, object], sealed_secret: bytes | None
) -> None:
    """Writes the columns of `get_provider_account`, and the secret if there is a new one."""
    connection.execute(_CHANGE_ACCOUNT, {**columns, "id": account_id})
    if sealed_secret is not None:
        connection.execute(_CHANGE_SECRET, {"id": account_id, "sealed_secret": sealed_secret})


def _get(connection: Connection, statement: TextClause, row_id: UUID, what: str) -> dict[str, object]:
    row = connection.execute(statement, {"id": row_id}).mappings().one_or_none()
    if row is None:
        raise NotFound(what=what, id=str(row_id))
    return dict(row)
