"""The audit of all studios, for the platform: who did what where, by ids and roles, and no customer by name.

Reads as `billbus_platform`. What was before and after stays in the studio: it may hold people's names. Called
by the platform's page; each function asks for the permission `platform.read` itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.dashboards.periods import Period
from admin_api.desk import Desk
from admin_api.listings.csv import EXPORT_LIMIT, write_csv
from admin_api.queries.ids import find_uuid
from admin_api.queries.names import principals_of
from web.problems import Problem
from web.views import View

PAGE_SIZE: Final = 50
STAFF_LIMIT: Final = 100

# Each studio gives its newest by its own index; the newest of those are the page. Of whoever is no staff not
# even the address: it is a person's.
_ROWS = text("""
    SELECT a.id, a.occurred_at AS at, s.id AS studio_id, s.name AS studio,
        split_part(a.principal, ':', 1) AS who_kind, split_part(a.principal, ':', 2) AS who_id,
        m.role, a.action, a.subject_id,
        CASE WHEN m.id IS NOT NULL THEN host(a.remote_address) END AS remote_address
    FROM studio s CROSS JOIN LATERAL (
        SELECT * FROM audit WHERE audit.studio_id = s.id
            AND occurred_at >= :starts_at AND occurred_at < :ends_at
            AND (CAST(:action AS text) IS NULL OR action = :action)
            AND (CAST(:principals AS text[]) IS NULL OR principal = ANY(:principals))
            AND (CAST(:before AS uuid) IS NULL OR
                (occurred_at, id) < ((SELECT b.occurred_at FROM audit b WHERE b.id = :before), :before))
        ORDER BY occurred_at DESC, id DESC LIMIT :limit
    ) a
    LEFT JOIN staff_member m ON a.principal = 'staff:' || m.id
    WHERE CAST(:studio_id AS uuid) IS NULL OR s.id = :studio_id
    ORDER BY a.occurred_at DESC, a.id DESC LIMIT :limit
""")
_STAFF = text("SELECT id FROM staff_member WHERE lower(email) = lower(:email) LIMIT :limit")


class PlatformAuditRow(View):
    """One line. `who_kind` and `role` say what somebody is, `who_id` who; `remote_address` is of staff."""

    id: UUID
    at: datetime
    studio_id: UUID
    studio: str
    who_kind: str
    who_id: str
    role: str | None
    action: str
    subject_id: UUID | None
    remote_address: str | None


class PlatformAuditPage(View):
    """The newest first; `before` continues, where there is more."""

    items: list[PlatformAuditRow]
    before: UUID | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines. `who` is anybody's id, or the e-mail of staff; empty texts ask for everything."""

    period: Period
    studio_id: UUID | None = None
    who: str = ""
    action: str = ""


def read_page(desk: Desk, query: AuditQuery, before: UUID | None = None) -> PlatformAuditPage:
    """At most PAGE_SIZE lines. Raises Problem 403."""
    rows = _read(desk, query, before, PAGE_SIZE + 1)
    items = rows[:PAGE_SIZE]
    return PlatformAuditPage(items=items, before=items[-1].id if len(rows) > PAGE_SIZE else None)


def export(desk: Desk, query: AuditQuery) -> str:
    """All of them as CSV, and the record that they were taken. Raises Problem 403, 422 `too_many_rows`."""
    rows = _read(desk, query, None, EXPORT_LIMIT + 1)
    if len(rows) > EXPORT_LIMIT:
        raise Problem(422, "too_many_rows", limit=EXPORT_LIMIT)
    facts: dict[str, object] = {
        "list": "platform_audit",
        "rows": len(rows),
        "from": str(query.period.from_on),
        "to": str(query.period.to_on),
        "action": query.action,
        "studio_id": str(query.studio_id) if query.studio_id else None,
    }
    with desk.transaction() as connection:
        desk.audit(connection, "export", None, facts=facts)
    return write_csv(PlatformAuditRow, rows)


def _read(desk: Desk, query: AuditQuery, before: UUID | None, limit: int) -> Sequence[PlatformAuditRow]:
    desk.require("platform.read")
    midnights = query.period.midnights
    with desk.services.platform_engine.begin() as connection:
        rows = connection.execute(
            _ROWS,
            {
                "starts_at": midnights[0],
                "ends_at": midnights[-1],
                "studio_id": query.studio_id,
                "action": query.action or None,
                "principals": _principals(connection, query.who) if query.who else None,
                "before": before,
                "limit": limit,
            },
        ).mappings()
        return [PlatformAuditRow.model_validate(dict(row)) for row in rows]


def _principals(connection: Connection, who: str) -> list[str]:
    """Whom the audit names so; nobody for words that are neither an id nor an address of staff."""
    if found := find_uuid(who):
        return principals_of([found])
    ids = connection.scalars(_STAFF, {"email": who, "limit": STAFF_LIMIT})
    return [f"staff:{staff_id}" for staff_id in ids]
