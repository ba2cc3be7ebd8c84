"""The dashboards of the JSON API: the studio's and the platform's, with a CSV of each chart."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from admin_api.dashboards import export, platform
from admin_api.dashboards.charts import CHARTS
from admin_api.dashboards.periods import DEFAULT_PRESET, PRESETS, Period, period_of
from admin_api.dashboards.platform import PLATFORM_CHARTS
from admin_api.dashboards.reading import read_dashboard
from admin_api.dashboards.views import Dashboard, PlatformDashboard, StudioPage, UserPage
from admin_api.desk import PREFIX, Desk
from admin_api.people.dependencies import requires
from admin_api.queries import platform_audit
from admin_api.queries.platform_audit import AuditQuery, PlatformAuditPage
from web.documented import Responses, problems
from web.fields import PAGE_DEFAULT, PAGE_LIMIT
from web.strict import StrictRoute

TEXT_LIMIT: Final = 10
_PRESETS: Final = ", ".join(PRESETS)

router = APIRouter(prefix=PREFIX, tags=["dashboards"], route_class=StrictRoute)


class Asked(BaseModel):
    """Which days: two dates of the studio's time zone, or a preset; dates go first."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    from_text: Annotated[
        str, Field(alias="from", max_length=TEXT_LIMIT, description="First day.", examples=["2026-11-01"])
    ] = ""
    to_text: Annotated[
        str, Field(alias="to", max_length=TEXT_LIMIT, description="Last day.", examples=["2026-11-21"])
    ] = ""
    preset: Annotated[
        str, Field(max_length=TEXT_LIMIT, description=f"{_PRESETS}; by default {DEFAULT_PRESET}.")
    ] = ""

    def period(self, desk: Desk) -> Period:
        return period_of(desk, self.from_text, self.to_text, self.preset)


class AskedOfPlatform(Asked):
    """The same, for one studio or all of them."""

    studio_id: UUID | None = None


class AskedOfAudit(AskedOfPlatform):
    """`who`: anybody's id, or the e-mail of staff; `before`: of the page before."""

    who: Annotated[str, Field(max_length=200)] = ""
    action: Annotated[str, Field(max_length=100)] = ""
    before: UUID | None = None


class AskedOfStudios(Asked):
    """The same, and which part of the list."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = PAGE_DEFAULT
    cursor: Annotated[UUID | None, Field(description="`next_cursor` of the page before.")] = None


class AskedOfUsers(BaseModel):
    """Whose staff, and which part of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    studio_id: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = PAGE_DEFAULT
    cursor: Annotated[UUID | None, Field(description="`next_cursor` of the page before.")] = None


Reader = Annotated[Desk, Depends(requires("dashboard.read"))]
Exporter = Annotated[Desk, Depends(requires("export"))]
PlatformReader = Annotated[Desk, Depends(requires("platform.read"))]


def _csv_answer(charts: str) -> Responses:
    described = {"description": f"UTF-8 CSV. Charts: {charts}.", "content": {"text/csv": {}}}
    return {200: described, **problems(401, 403, 404)}


@router.get("/dashboard", operation_id="read_dashboard", responses=problems(401, 403), summary="The studio")
def dashboard(desk: Reader, asked: Annotated[Asked, Query()]) -> Dashboard:
    """Numbers, charts and what waits for somebody; currencies are never added up."""
    return read_dashboard(desk, asked.period(desk))


@router.get(
    "/dashboard/{chart}.csv",
    operation_id="export_chart",
    responses=_csv_answer(", ".join(CHARTS)),
    response_class=Response,
    summary="A chart of the studio as CSV",
)
def chart_csv(chart: str, desk: Exporter, asked: Annotated[Asked, Query()]) -> Response:
    """Audited as an export. Cells that a spreadsheet would take for a formula are made text."""
    period = asked.period(desk)
    return _csv(export.export_chart(desk, chart, period), chart, period)


@router.get(
    "/platform", operation_id="read_platform", responses=problems(401, 403, 404), summary="All studios"
)
def platform_dashboard(desk: PlatformReader, asked: Annotated[AskedOfPlatform, Query()]) -> PlatformDashboard:
    """Active studios, people as numbers, volume, payments; one studio's with `studio_id`."""
    return platform.read_platform(desk, asked.period(desk), asked.studio_id)


@router.get(
    "/platform/studios", operation_id="list_studios", responses=problems(401, 403), summary="Studios, paged"
)
def studios(desk: PlatformReader, asked: Annotated[AskedOfStudios, Query()]) -> StudioPage:
    """Each with its owners' addresses; a studio is active if a command of it was applied in the period."""
    return platform.list_studios(desk, asked.period(desk), asked.cursor, asked.limit)


@router.get(
    "/platform/users", operation_id="list_users", responses=problems(401, 403), summary="Staff, paged"
)
def users(desk: PlatformReader, asked: Annotated[AskedOfUsers, Query()]) -> UserPage:
    """Staff of all studios or one. Customers are counted only, in the dashboard."""
    return platform.list_users(desk, asked.studio_id, asked.cursor, asked.limit)


@router.get(
    "/platform/audit",
    operation_id="list_platform_audit",
    responses=problems(401, 403),
    summary="All audits",
)
def audit(desk: PlatformReader, asked: Annotated[AskedOfAudit, Query()]) -> PlatformAuditPage:
    """Of all studios or one, newest first: ids and roles, no customer by name."""
    query = AuditQuery(asked.period(desk), asked.studio_id, asked.who, asked.action)
    return platform_audit.read_page(desk, query, asked.before)


@router.get(
    "/platform/{chart}.csv",
    operation_id="export_platform_chart",
    responses=_csv_answer(", ".join(PLATFORM_CHARTS)),
    response_class=Response,
    summary="A chart of the platform as CSV",
)
def platform_chart_csv(
    chart: str, desk: PlatformReader, asked: Annotated[AskedOfPlatform, Query()]
) -> Response:
    """Audited as an export, in the platform's own studio."""
    period = asked.period(desk)
    return _csv(export.export_platform_chart(desk, chart, period, asked.studio_id), chart, period)


def _csv(text: str, chart: str, period: Period) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name(chart, period)}"'}
    return Response(text, headers=headers, media_type=export.MEDIA_TYPE)
