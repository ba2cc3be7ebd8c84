"""The studio's dashboard as a whole: the numbers, the charts, and what waits for somebody.

Called by the JSON API and the page. All of it is read in one transaction of the person's studio.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from admin_api.dashboards.charts import (
    Chart,
    Reading,
    read_declines,
    read_funnel,
    read_invoices,
    read_revenue,
    read_subscriptions,
)
from admin_api.dashboards.periods import Period
from admin_api.dashboards.views import (
    Charts,
    CountAndSum,
    Dashboard,
    Lists,
    Numbers,
    OpenCommand,
    OwedMoney,
    PeriodView,
    Revenue,
    RevenueDay,
    UnappliedMoney,
    UncertainAttempt,
)
from admin_api.desk import Desk
from web.views import Money, View

LIST_LIMIT: Final = 50

_COUNTS = text("""
    SELECT
        (SELECT count(*) FROM subscription WHERE studio_id = :studio_id AND state = 'active')
            AS active_subscriptions,
        (SELECT count(*) FROM command_journal WHERE studio_id = :studio_id AND state = 'parked') AS parked,
        (SELECT count(*) FROM command_journal WHERE studio_id = :studio_id AND state = 'accepted') AS open,
        (SELECT min(accepted_at) FROM command_journal WHERE studio_id = :studio_id AND state = 'accepted')
            AS oldest_accepted_at,
        (SELECT count(*) FROM payment_attempt
            WHERE studio_id = :studio_id AND state IN ('unknown', 'pending')) AS uncertain_attempts
""")
_OPEN_INVOICES = text("""
    SELECT count(*) AS number, coalesce(sum(total_minor - paid_minor), 0)::bigint AS sum_minor
    FROM invoice WHERE studio_id = :studio_id AND state = 'open'
""")
_UNAPPLIED_SUMS = text("""
    SELECT currency, count(*) AS number, sum(amount_minor - refunded_minor)::bigint AS sum_minor
    FROM provider_payment
    WHERE studio_id = :studio_id AND invoice_id IS NULL AND refunded_minor < amount_minor
    GROUP BY currency ORDER BY currency
""")
_UNAPPLIED = text("""
    SELECT id, transaction_id, received_at, unapplied_reason, amount_minor, refunded_minor, reserved_minor,
        currency
    FROM provider_payment
    WHERE studio_id = :studio_id AND invoice_id IS NULL AND refunded_minor < amount_minor
    ORDER BY received_at, id LIMIT :limit
""")
_OWED_SUMS = text("""
    SELECT currency, count(*) AS number, sum(amount_minor)::bigint AS sum_minor
    FROM refund_owed WHERE studio_id = :studio_id GROUP BY currency ORDER BY currency
""")
_OWED = text("""
    SELECT o.payment_id, p.transaction_id, o.declined_at, o.amount_minor, o.currency
    FROM refund_owed o JOIN provider_payment p ON p.id = o.payment_id
    WHERE o.studio_id = :studio_id ORDER BY o.declined_at, o.payment_id LIMIT :limit
""")
_OPEN_COMMANDS = text("""
    SELECT command_id, kind, accepted_at, tries FROM command_journal
    WHERE studio_id = :studio_id AND state = 'accepted' ORDER BY sequence LIMIT :limit
""")
_UNCERTAIN = text("""
    SELECT a.id, a.invoice_id, i.number, a.state, a.amount_minor, a.currency, a.updated_at
    FROM payment_attempt a JOIN invoice i ON i.studio_id = a.studio_id AND i.id = a.invoice_id
    WHERE a.studio_id = :studio_id AND a.state IN ('unknown', 'pending')
    ORDER BY a.updated_at, a.id LIMIT :limit
""")


def read_dashboard(desk: Desk, period: Period) -> Dashboard:
    """Raises Problem 403 without `dashboard.read`."""
    desk.require("dashboard.read")
    with desk.transaction() as connection:
        reading = Reading(connection, desk.studio_id, period)
        charts = Charts(
            revenue_by_day=read_revenue(reading),
            invoices_by_state=read_invoices(reading),
            payment_funnel=read_funnel(reading),
            declines=read_declines(reading),
            subscriptions_by_day=read_subscriptions(reading),
        )
        return Dashboard(
            period=period_view(period),
            as_of=period.calendar.now,
            currency=period.calendar.currency,
            numbers=_read_numbers(desk, reading, charts.revenue_by_day),
            charts=charts,
            lists=_read_lists(desk, reading),
        )


def read_chart(desk: Desk, chart: Chart, period: Period) -> Sequence[View]:
    """The rows of one chart. Raises Problem 403 without `dashboard.read`."""
    desk.require("dashboard.read")
    with desk.transaction() as connection:
        return chart.read(Reading(connection, desk.studio_id, period))


def period_view(period: Period) -> PeriodView:
    return PeriodView(from_on=period.from_on, to_on=period.to_on, timezone=period.calendar.timezone)


def revenue_of(days: Sequence[RevenueDay]) -> list[Revenue]:
    """The days' sums, each currency for itself."""
    by_currency = defaultdict[str, list[RevenueDay]](list)
    for day in days:
        by_currency[day.currency].append(day)
    return [
        Revenue(
            currency=currency,
            received_minor=sum(day.received_minor for day in its_days),
            refunded_minor=sum(day.refunded_minor for day in its_days),
            net_minor=sum(day.net_minor for day in its_days),
        )
        for currency, its_days in by_currency.items()
    ]


def _read_numbers(desk: Desk, reading: Reading, days: Sequence[RevenueDay]) -> Numbers:
    (counts,) = reading.rows(_COUNTS)
    (open_invoices,) = reading.rows(_OPEN_INVOICES)
    oldest = counts.oldest_accepted_at
    own = reading.period.calendar.currency
    return Numbers(
        # The studio's own currency first, and there even without a row.
        revenue=sorted(revenue_of(days), key=lambda one: (one.currency != own, one.currency)),
        active_subscriptions=counts.active_subscriptions,
        open_invoices=count_and_sum(open_invoices.number, open_invoices.sum_minor, own),
        parked_commands=counts.parked,
        unapplied_commands=counts.open,
        # Commands are accepted by the world's clock, in a test studio too.
        oldest_unapplied_command_age_seconds=None
        if oldest is None
        else max(0, int((desk.now - oldest).total_seconds())),
        unapplied_money=[
            count_and_sum(row.number, row.sum_minor, row.currency) for row in reading.rows(_UNAPPLIED_SUMS)
        ],
        owed_refunds=[
            count_and_sum(row.number, row.sum_minor, row.currency) for row in reading.rows(_OWED_SUMS)
        ],
        uncertain_attempts=counts.uncertain_attempts,
    )


def count_and_sum(count: int, sum_minor: int, currency: str) -> CountAndSum:
    return CountAndSum(count=count, sum=Money(amount_minor=sum_minor, currency=currency))


def _read_lists(desk: Desk, reading: Reading) -> Lists:
    return Lists(
        unapplied_money=[
            UnappliedMoney(
                payment_id=row.id,
                transaction_id=row.transaction_id,
                received_at=row.received_at,
                reason=row.unapplied_reason,
                amount=Money(amount_minor=row.amount_minor, currency=row.currency),
                remaining=Money(amount_minor=row.amount_minor - row.refunded_minor, currency=row.currency),
                reserved=Money(amount_minor=row.reserved_minor, currency=row.currency),
            )
            for row in reading.rows(_UNAPPLIED, limit=LIST_LIMIT)
        ],
        owed_refunds=[
            OwedMoney(
                payment_id=row.payment_id,
                transaction_id=row.transaction_id,
                declined_at=row.declined_at,
                remaining=Money(amount_minor=row.amount_minor, currency=row.currency),
            )
            for row in reading.rows(_OWED, limit=LIST_LIMIT)
        ],
        open_commands=[
            OpenCommand(
                command_id=row.command_id,
                kind=row.kind,
                accepted_at=row.accepted_at,
                age_seconds=max(0, int((desk.now - row.accepted_at).total_seconds())),
                tries=row.tries,
            )
            for row in reading.rows(_OPEN_COMMANDS, limit=LIST_LIMIT)
        ],
        uncertain_attempts=[
            UncertainAttempt(
                attempt_id=row.id,
                invoice_id=row.invoice_id,
                invoice_number=row.number,
                state=row.state,
                amount=Money(amount_minor=row.amount_minor, currency=row.currency),
                since=row.updated_at,
            )
            for row in reading.rows(_UNCERTAIN, limit=LIST_LIMIT)
        ],
    )
