"""The studio that a request is in: its name, its calendar, where it lets payers return to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Studio:
    """`clock_offset` is zero outside test studios."""

    id: UUID
    name: str
    locale: str
    timezone: str
    currency: str
    allowed_origins: tuple[str, ...]
    clock_offset: timedelta

    def now(self, at: datetime) -> datetime:
        """The studio's own time when it is `at` everywhere else."""
        return at + self.clock_offset


_GET = text("""
    SELECT id, name, locale, timezone, currency, allowed_origins,
        COALESCE(offset_seconds, 0) AS offset_seconds
    FROM studio LEFT JOIN clock_offset ON clock_offset.studio_id = studio.id
    WHERE id = :studio_id
""")


def get_studio(connection: Connection, studio_id: UUID) -> Studio:
    row = connection.execute(_GET, {"studio_id": studio_id}).one()
    return Studio(
        row.id,
        row.name,
        row.locale,
        row.timezone,
        row.currency,
        tuple(row.allowed_origins),
        timedelta(seconds=row.offset_seconds),
    )
