"""What the platform sees of all studios: how many, how active, how big, what they took. Of customers no name.

Reads as `billbus_platform`, which may select across studios and knows people other than staff by number only.
Called by the JSON API and the platform's page; each function asks for the permission `platform.read` itself.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.dashboards.charts import Chart, Column, Reading
from admin_api.dashboards.periods import Period
from admin_api.dashboards.reading import count_and_sum, period_view
from admin_api.dashboards.views import (
    CountAndSum,
    PlatformDashboard,
    PlatformNumbers,
    PlatformUser,
    StudioNumbers,
    StudioPage,
    StudioPaymentsDay,
    TableVolume,
    UserPage,
)
from admin_api.desk import Desk
from web.fields import PAGE_LIMIT
from web.problems import not_found
from web.views import View

STUDIOS_LIMIT: Final = 100
OWNERS_LIMIT: Final = 10
# One row for each studio, day and currency: what is beyond is cut from the end, and the totals are not.
PAYMENT_ROWS_LIMIT: Final = 10_000
BIG_TABLES: Final = (
    "state_event",
    "command_journal",
    "invoice",
    "invoice_line",
    "payment_attempt",
    "provider_payment",
    "ledger_transfer",
    "audit",
    "outbox",
    "inbox",
    "customer",
    "subscription",
)

# Counted without reading what is big: invoices by the numbers given out, customers from an index.
_STUDIOS = text("""
    SELECT s.id, s.name, s.host, s.timezone, s.currency, s.created_at,
        ARRAY(SELECT m.email FROM staff_member m
            WHERE m.studio_id = s.id AND m.role = 'owner' AND m.deactivated_at IS NULL
            ORDER BY m.email LIMIT :owners_limit) AS owner_emails,
        (SELECT count(*) FROM customer c WHERE c.studio_id = s.id) AS customers,
        (SELECT count(*) FROM staff_member m WHERE m.studio_id = s.id AND m.deactivated_at IS NULL) AS staff,
        (SELECT coalesce(sum(last_number), 0)::bigint FROM invoice_counter n WHERE n.studio_id = s.id)
            AS invoices,
        (SELECT coalesce(sum(last_number), 0)::bigint FROM invoice_counter) AS all_invoices
    FROM studio s
    WHERE (CAST(:studio_id AS uuid) IS NULL OR s.id = :studio_id)
        AND (CAST(:cursor AS uuid) IS NULL OR s.id > :cursor)
    ORDER BY s.id LIMIT :limit
""")
_ACTIVE = text("""
    SELECT DISTINCT studio_id FROM command_journal
    WHERE state = 'applied' AND answered_at >= :starts_at AND answered_at < :ends_at
        AND (CAST(:studio_id AS uuid) IS NULL OR studio_id = :studio_id)
""")
_PEOPLE = text("""
    SELECT
        (SELECT count(*) FROM studio WHERE CAST(:studio_id AS uuid) IS NULL OR id = :studio_id) AS studios,
        (SELECT count(*) FROM customer
            WHERE CAST(:studio_id AS uuid) IS NULL OR studio_id = :studio_id) AS customers,
        (SELECT count(*) FROM staff_member
            WHERE deactivated_at IS NULL AND (CAST(:studio_id AS uuid) IS NULL OR studio_id = :studio_id))
            AS staff,
        pg_database_size(current_database()) AS database_bytes
""")
_VOLUMES = text("""
    SELECT name AS table_name, pg_total_relation_size(CAST(name AS regclass)) AS bytes
    FROM unnest(CAST(:tables AS text[])) AS name ORDER BY bytes DESC, name
""")
# Studio by studio, so that each is a range of the index on (studio_id, received_at). Rows without a day are
# the sums over all days and studios, which no limit cuts.
_PAYMENTS = text("""
    WITH taken AS MATERIALIZED (
        SELECT day, s.id AS studio_id, s.name AS studio, its.currency, payments, received_minor
        FROM studio s CROSS JOIN LATERAL (
            SELECT width_bucket(p.received_at, CAST(:midnights AS timestamptz[])) AS day, p.currency,
                count(*) AS payments, sum(p.amount_minor) AS received_minor
            FROM provider_payment p
            WHERE p.studio_id = s.id AND p.received_at >= :starts_at AND p.received_at < :ends_at
            GROUP BY 1, 2
        ) AS its
        WHERE CAST(:studio_id AS uuid) IS NULL OR s.id = :studio_id
    )
    (SELECT NULL AS day, NULL AS studio_id, NULL AS studio, currency, sum(payments)::bigint AS payments,
        sum(received_minor)::bigint AS received_minor
    FROM taken GROUP BY currency ORDER BY currency)
    UNION ALL
    (SELECT day, studio_id, studio, currency, payments, received_minor::bigint
    FROM taken ORDER BY day, studio, studio_id, currency LIMIT :limit)
""")
_USERS = text("""
    SELECT m.id, m.studio_id, s.name AS studio, m.email, m.name, m.role, m.created_at, m.deactivated_at
    FROM staff_member m JOIN studio s ON s.id = m.studio_id
    WHERE (CAST(:studio_id AS uuid) IS NULL OR m.studio_id = :studio_id)
        AND (CAST(:cursor AS uuid) IS NULL OR m.id > :cursor)
    ORDER BY m.id LIMIT :limit
""")


def read_platform(desk: Desk, period: Period, studio_id: UUID | None = None) -> PlatformDashboard:
    """All studios, or one. Raises Problem 403 without `platform.read`, 404 if there is no such studio."""
    with _platform(desk) as connection:
        reading = Reading(connection, studio_id, period)
        (people,) = reading.rows(_PEOPLE)
        if studio_id is not None and not people.studios:
            raise not_found()
        volumes = _read_volumes(reading)
        active = _active_studios(reading)
        payments, totals = _read_payments(reading)
        numbers = PlatformNumbers(
            studios=people.studios,
            active_studios=len(active),
            customers=people.customers,
            staff=people.staff,
            database_bytes=people.database_bytes,
            payments=totals,
        )
        return PlatformDashboard(
            period=period_view(period),
            as_of=desk.now,
            studio_id=studio_id,
            numbers=numbers,
            volumes=volumes,
            studios=_read_studios(reading, active, volumes, cursor=None, limit=STUDIOS_LIMIT),
            payments_by_studio_and_day=payments,
        )


def list_studios(
    desk: Desk, period: Period, cursor: UUID | None = None, limit: int = PAGE_LIMIT
) -> StudioPage:
    """In the order of their ids, at most PAGE_LIMIT. Raises Problem 403 without `platform.read`."""
    limit = min(limit, PAGE_LIMIT)
    with _platform(desk) as connection:
        reading = Reading(connection, None, period)
        active, volumes = _active_studios(reading), _read_volumes(reading)
        found = _read_studios(reading, active, volumes, cursor=cursor, limit=limit + 1)
    items = found[:limit]
    return StudioPage(items=items, next_cursor=items[-1].studio_id if len(found) > len(items) else None)


def list_users(
    desk: Desk, studio_id: UUID | None = None, cursor: UUID | None = None, limit: int = PAGE_LIMIT
) -> UserPage:
    """Staff of all studios or one, at most PAGE_LIMIT. Raises Problem 403 without `platform.read`."""
    limit = min(limit, PAGE_LIMIT)
    with _platform(desk) as connection:
        rows = connection.execute(
            _USERS, {"studio_id": studio_id, "cursor": cursor, "limit": limit + 1}
        ).all()
    items = [
        PlatformUser(
            staff_member_id=row.id,
            studio_id=row.studio_id,
            studio=row.studio,
            email=row.email,
            name=row.name,
            role=row.role,
            created_at=row.created_at,
            deactivated_at=row.deactivated_at,
        )
        for row in rows[:limit]
    ]
    return UserPage(items=items, next_cursor=items[-1].staff_member_id if len(rows) > limit else None)


def read_platform_chart(desk: Desk, chart: Chart, period: Period, studio_id: UUID | None) -> Sequence[View]:
    """The rows of one chart. Raises Problem 403 without `platform.read`."""
    with _platform(desk) as connection:
        return chart.read(Reading(connection, studio_id, period))


@contextmanager
def _platform(desk: Desk) -> Iterator[Connection]:
    desk.require("platform.read")
    with desk.services.platform_engine.begin() as connection:
        yield connection


def _read_volumes(reading: Reading) -> list[TableVolume]:
    rows = reading.rows(_VOLUMES, tables=list(BIG_TABLES))
    return [TableVolume(table=row.table_name, bytes=row.bytes) for row in rows]


def _active_studios(reading: Reading) -> set[UUID]:
    return {row.studio_id for row in reading.rows(_ACTIVE)}


def read_payments(reading: Reading) -> list[StudioPaymentsDay]:
    """Of each studio, day and currency; the first PAYMENT_ROWS_LIMIT of them."""
    return _read_payments(reading)[0]


def _read_payments(reading: Reading) -> tuple[list[StudioPaymentsDay], list[CountAndSum]]:
    days = reading.period.days
    rows = reading.rows(_PAYMENTS, limit=PAYMENT_ROWS_LIMIT)
    payments = [
        StudioPaymentsDay(
            on=days[row.day - 1],
            studio_id=row.studio_id,
            studio=row.studio,
            currency=row.currency,
            count=row.payments,
            received_minor=row.received_minor,
        )
        for row in rows
        if row.day is not None
    ]
    totals = [row for row in rows if row.day is None]
    return payments, [count_and_sum(row.payments, row.received_minor, row.currency) for row in totals]


def _read_studios(
    reading: Reading,
    active: Set[UUID],
    volumes: Sequence[TableVolume],
    *,
    cursor: UUID | None,
    limit: int,
) -> list[StudioNumbers]:
    all_bytes = sum(volume.bytes for volume in volumes)
    return [
        StudioNumbers(
            studio_id=row.id,
            name=row.name,
            host=row.host,
            timezone=row.timezone,
            currency=row.currency,
            created_at=row.created_at,
            owner_emails=list(row.owner_emails),
            customers=row.customers,
            staff=row.staff,
            invoices=row.invoices,
            bytes_estimate=all_bytes * row.invoices // max(1, row.all_invoices),
            is_active=row.id in active,
        )
        for row in reading.rows(_STUDIOS, cursor=cursor, limit=limit, owners_limit=OWNERS_LIMIT)
    ]


PLATFORM_CHARTS: Final[Mapping[str, Chart]] = {
    chart.name: chart
    for chart in (
        Chart(
            "payments_by_studio_and_day",
            (
                Column("on", "day"),
                Column("studio", "name"),
                Column("count", "count"),
                Column("received_minor", "money"),
                Column("currency", "code"),
            ),
            read_payments,
        ),
    )
}
