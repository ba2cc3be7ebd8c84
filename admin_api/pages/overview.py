"""The pages of numbers: the studio's dashboard, the platform's, and the CSV of each of their charts."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin_api.dashboards import export
from admin_api.dashboards.context import dashboard_context, platform_context
from admin_api.dashboards.periods import Period, period_of
from admin_api.desk import Desk
from admin_api.pages.buttons import creators
from admin_api.pages.doors import desk_of, language_of
from admin_api.pages.frame import tell
from admin_api.pages.site import Site
from web.problems import invalid

PLATFORM: Final = "/admin/platform"


async def show_dashboard(site: Site, request: Request) -> Response:
    """The studio's numbers; whoever has none of them is shown to their own first page."""
    desk = desk_of(request)
    if not desk.person.may("dashboard.read") and desk.person.may("platform.read"):
        return RedirectResponse(PLATFORM, 303)
    context = await run_in_threadpool(_read_dashboard, request, desk)
    return await site.page(
        request, "dashboard/dashboard.html", {"title": tell(request, "menu.dashboard"), **context}
    )


async def show_platform(site: Site, request: Request) -> Response:
    """The platform's numbers, over all studios or one. Raises Problem 403."""
    desk = desk_of(request)
    desk.require("platform.read")
    context = await run_in_threadpool(_read_platform, request, desk)
    return await site.page(
        request, "dashboard/platform.html", {"title": tell(request, "menu.platform"), **context}
    )


async def export_chart(site: Site, request: Request) -> Response:
    """One chart's rows. Raises Problem 403, 404 and 422."""
    return await run_in_threadpool(_csv, request, export.export_chart)


async def export_platform_chart(site: Site, request: Request) -> Response:
    """One of the platform's charts' rows. Raises Problem 403, 404 and 422."""
    studio_id = _studio_id(request)

    def of_studio(desk: Desk, name: str, period: Period) -> str:
        return export.export_platform_chart(desk, name, period, studio_id)

    return await run_in_threadpool(_csv, request, of_studio)


def _read_dashboard(request: Request, desk: Desk) -> dict[str, object]:
    return dashboard_context(desk, _period(request), language_of(request))


def _read_platform(request: Request, desk: Desk) -> dict[str, object]:
    studio_id = _studio_id(request)
    context = platform_context(desk, _period(request), language_of(request), studio_id)
    return {**context, "buttons": [*creators(request, "studios"), *creators(request, "platform")]}


def _csv(request: Request, export_one: Callable[[Desk, str, Period], str]) -> Response:
    name, period = request.path_params["chart"], _period(request)
    text = export_one(desk_of(request), name, period)
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name(name, period)}"'}
    return Response(text, headers=headers, media_type=export.MEDIA_TYPE)


def _period(request: Request) -> Period:
    asked = request.query_params
    return period_of(desk_of(request), asked.get("from", ""), asked.get("to", ""), asked.get("preset", ""))


def _studio_id(request: Request) -> UUID | None:
    given = request.query_params.get("studio_id", "")
    try:
        return UUID(given) if given else None
    except ValueError:
        raise invalid(("query.studio_id", "not_a_uuid")) from None
