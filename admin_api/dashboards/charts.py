"""The studio's charts: one read for each, whose rows are the picture, the table and the CSV.

Each query runs in the person's studio and names it again beside row-level security. What is about a period
reads the period's rows; states are counted from an index.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from admin_api.dashboards.periods import Period
from admin_api.dashboards.views import (
    DeclineReason,
    FunnelStep,
    InvoicesInState,
    RevenueDay,
    SubscriptionsDay,
)
from billing.ledger import Account
from web.problems import not_found
from web.views import View

DECLINE_REASONS_LIMIT: Final = 50
# In the order of the machine, which is how they are drawn.
INVOICE_STATES: Final = ("draft", "open", "paid", "partially_refunded", "refunded", "expired", "void")

# A bucket's number is the day's in the period: the days' bounds come from one calendar, ours.
_REVENUE = text("""
    WITH clearing AS (SELECT id FROM ledger_account WHERE studio_id = :studio_id AND kind = :kind)
    SELECT width_bucket(posted_at, CAST(:midnights AS timestamptz[])) AS day, currency,
        coalesce(sum(amount_minor) FILTER (WHERE debit_account_id IN (TABLE clearing)), 0)::bigint AS came,
        coalesce(sum(amount_minor) FILTER (WHERE credit_account_id IN (TABLE clearing)), 0)::bigint AS went
    FROM ledger_transfer
    WHERE studio_id = :studio_id AND posted_at >= :starts_at AND posted_at < :ends_at
        AND (debit_account_id IN (TABLE clearing) OR credit_account_id IN (TABLE clearing))
    GROUP BY 1, 2 ORDER BY 1, 2
""")
_INVOICES = text("SELECT state, count(*) AS number FROM invoice WHERE studio_id = :studio_id GROUP BY state")
# The first step is from intent: the second version is a page, unless it is the attempt's end.
_FUNNEL = text("""
    SELECT count(*) FILTER (WHERE version > 2 OR version = 2 AND state <> 'canceled') AS page_shown, state,
        count(*) AS number
    FROM payment_attempt
    WHERE studio_id = :studio_id AND created_at >= :starts_at AND created_at < :ends_at
    GROUP BY state
""")
_DECLINES = text("""
    SELECT coalesce(decline_category, '') AS category, decline_code AS code, count(*) AS number
    FROM payment_attempt
    WHERE studio_id = :studio_id AND created_at >= :starts_at AND created_at < :ends_at
        AND decline_code IS NOT NULL
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT :limit
""")
# One that was never paid for has no period: it neither began nor ended.
_SUBSCRIPTIONS = text("""
    SELECT day, sum(started)::bigint AS started, sum(canceled)::bigint AS canceled FROM (
        SELECT width_bucket(created_at, CAST(:midnights AS timestamptz[])) AS day, 1 AS started, 0 AS canceled
        FROM subscription
        WHERE studio_id = :studio_id AND created_at >= :starts_at AND created_at < :ends_at
            AND current_period_start IS NOT NULL
        UNION ALL
        SELECT width_bucket(canceled_at, CAST(:midnights AS timestamptz[])), 0, 1
        FROM subscription
        WHERE studio_id = :studio_id AND canceled_at >= :starts_at AND canceled_at < :ends_at
            AND current_period_start IS NOT NULL
    ) AS moved
    GROUP BY day
""")

# Where an attempt has got to, as the funnel tells it.
STEP_OF_STATE: Final[Mapping[str, str]] = {
    "succeeded": "succeeded",
    "declined": "declined",
    "canceled": "canceled",
    "not_sent": "not_sent",
    "unknown": "unknown",
    "pending": "pending",
    "intent": "under_way",
    "sent": "under_way",
    "requires_action": "under_way",
}
STEPS: Final = ("started", "page_shown", *dict.fromkeys(STEP_OF_STATE.values()))


ColumnKind = Literal["day", "code", "name", "count", "money"]


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a chart's row.

    `code` is a word of ours or a provider's, `name` what people wrote; `money` is in the row's `currency`.
    """

    name: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True)
class Reading:
    """One transaction about one period, in one studio; on the platform None is all of them."""

    connection: Connection
    studio_id: UUID | None
    period: Period

    def rows(self, statement: TextClause, **parameters: object) -> Sequence[Row[Any]]:
        """What every statement here may ask for is bound, whether it does or not."""
        midnights = self.period.midnights
        bound = {
            "studio_id": self.studio_id,
            "midnights": midnights,
            "starts_at": midnights[0],
            "ends_at": midnights[-1],
        }
        return self.connection.execute(statement, bound | parameters).all()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart by its name, which is its path, its table's columns, and where its rows come from."""

    name: str
    columns: tuple[Column, ...]
    read: Callable[[Reading], Sequence[View]]


def read_revenue(reading: Reading) -> list[RevenueDay]:
    """What providers took and gave back, day by day: the movements of the account `provider_clearing`."""
    days = reading.period.days
    found = {
        (days[row.day - 1], row.currency): (row.came, row.went)
        for row in reading.rows(_REVENUE, kind=Account.PROVIDER_CLEARING.value)
    }
    own = reading.period.calendar.currency
    return [
        RevenueDay(
            on=on,
            currency=currency,
            received_minor=received,
            refunded_minor=refunded,
            net_minor=received - refunded,
        )
        for on, currency in sorted({(day, own) for day in days} | found.keys())
        for received, refunded in [found.get((on, currency), (0, 0))]
    ]


def read_invoices(reading: Reading) -> list[InvoicesInState]:
    counts = {row.state: row.number for row in reading.rows(_INVOICES)}
    return [InvoicesInState(state=state, count=counts.get(state, 0)) for state in INVOICE_STATES]


def read_funnel(reading: Reading) -> list[FunnelStep]:
    counts = Counter[str]()
    for row in reading.rows(_FUNNEL):
        counts["started"] += row.number
        counts["page_shown"] += row.page_shown
        counts[STEP_OF_STATE[row.state]] += row.number
    return [FunnelStep(step=step, count=counts[step]) for step in STEPS]


def read_declines(reading: Reading) -> list[DeclineReason]:
    return [
        DeclineReason(category=row.category, code=row.code, count=row.number)
        for row in reading.rows(_DECLINES, limit=DECLINE_REASONS_LIMIT)
    ]


def read_subscriptions(reading: Reading) -> list[SubscriptionsDay]:
    days = reading.period.days
    found = {days[row.day - 1]: (row.started, row.canceled) for row in reading.rows(_SUBSCRIPTIONS)}
    return [
        SubscriptionsDay(on=day, started=started, canceled=canceled)
        for day in days
        for started, canceled in [found.get(day, (0, 0))]
    ]


_COUNT: Final = Column("count", "count")
_DAY: Final = Column("on", "day")

CHARTS: Final[Mapping[str, Chart]] = {
    chart.name: chart
    for chart in (
        Chart(
            "revenue_by_day",
            (
                _DAY,
                Column("received_minor", "money"),
                Column("refunded_minor", "money"),
                Column("net_minor", "money"),
                Column("currency", "code"),
            ),
            read_revenue,
        ),
        Chart("invoices_by_state", (Column("state", "code"), _COUNT), read_invoices),
        Chart("payment_funnel", (Column("step", "code"), _COUNT), read_funnel),
        Chart("declines", (Column("category", "code"), Column("code", "code"), _COUNT), read_declines),
        Chart(
            "subscriptions_by_day",
            (_DAY, Column("started", "count"), Column("canceled", "count")),
            read_subscriptions,
        ),
    )
}


def chart_of(charts: Mapping[str, Chart], name: str) -> Chart:
    """Raises Problem 404."""
    chart = charts.get(name)
    if chart is None:
        raise not_found()
    return chart
