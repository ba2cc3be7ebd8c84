"""The platform's page of the audit: every studio's, by studio, person, day and kind, and its CSV."""

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from admin_api.dashboards import export
from admin_api.dashboards.periods import PRESETS, period_of
from admin_api.dashboards.platform import list_studios
from admin_api.desk import Desk
from admin_api.pages import audit
from admin_api.pages.cells import Cell, cell_of
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import tell
from admin_api.pages.site import Site
from admin_api.pages.words import knows
from admin_api.queries import platform_audit
from admin_api.queries.ids import find_uuid
from admin_api.queries.platform_audit import AuditQuery, PlatformAuditRow
from web.problems import invalid

PATH: Final = "/admin/platform/audit"
TEXT_LENGTH_LIMIT: Final = 254
_FILTERS: Final = ("studio_id", "who", "action", "from", "to", "preset")


async def show_audit(site: Site, request: Request) -> Response:
    """A page of lines. Raises Problem 403 and 422."""
    context = await run_in_threadpool(_context, request, desk_of(request))
    return await site.page(request, "platform_audit.html", context)


async def export_audit(site: Site, request: Request) -> Response:
    """The same lines, all of them. Raises Problem 403 and 422."""
    return await run_in_threadpool(_csv, request, desk_of(request))


def _context(request: Request, desk: Desk) -> dict[str, object]:
    desk.require("platform.read")
    query = _query(request, desk)
    page = platform_audit.read_page(desk, query, _id(request, "before"))
    kept = {name: value for name in _FILTERS if (value := request.query_params.get(name))}
    return {
        "title": tell(request, "menu.platform_audit"),
        "path": PATH,
        "rows": [_line(request, row) for row in page.items],
        "older": urlencode({**kept, "before": str(page.before)}) if page.before else "",
        "export_query": urlencode(kept),
        "period": query.period,
        "presets": list(PRESETS),
        "studios": [(str(one.studio_id), one.name) for one in list_studios(desk, query.period).items],
        "kinds": sorted(audit.kinds(request), key=lambda kind: kind[1]),
        "asked": {name: kept.get(name, "") for name in _FILTERS},
    }


def _csv(request: Request, desk: Desk) -> Response:
    desk.require("platform.read")
    query = _query(request, desk)
    text = platform_audit.export(desk, query)
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name("audit", query.period)}"'}
    return Response(text, headers=headers, media_type=export.MEDIA_TYPE)


def _query(request: Request, desk: Desk) -> AuditQuery:
    asked = request.query_params
    who, action = asked.get("who", "").strip(), asked.get("action", "")
    if max(len(who), len(action)) > TEXT_LENGTH_LIMIT or "\x00" in who + action:
        raise invalid(("query", "too_long"))
    period = period_of(desk, asked.get("from", ""), asked.get("to", ""), asked.get("preset", ""))
    return AuditQuery(period, _id(request, "studio_id"), who, action)


def _id(request: Request, name: str) -> UUID | None:
    given = request.query_params.get(name, "")
    found = find_uuid(given) if given else None
    if given and found is None:
        raise invalid((f"query.{name}", "not_a_uuid"))
    return found


def _line(request: Request, row: PlatformAuditRow) -> list[Cell]:
    """People by role and id: what they are called is their studio's."""
    kind = f"role.{row.role}" if row.role else f"who.{row.who_kind}"
    did = f"did.{row.action}"
    who = Cell(tell(request, kind) if knows(kind) else row.who_kind, "short")
    return [
        cell_of(request, "audit", "at", row.at),
        Cell(row.studio),
        who,
        Cell(row.who_id, "id") if row.who_id else Cell(tell(request, "page.none")),
        Cell(tell(request, did) if knows(did) else row.action),
        cell_of(request, "audit", "subject_id", row.subject_id),
        cell_of(request, "audit", "remote_address", row.remote_address),
    ]
