"""The desk's halls in the JSON API: who has which when, today's work, and how full the hours are."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from admin_api.bookings.days import DAYS_LIMIT, choose_days
from admin_api.bookings.reading import HALLS_LIMIT, TAKEN_LIMIT, read_timeline
from admin_api.bookings.today import TODAY_LIMIT, read_today
from admin_api.bookings.views import Timeline, Today
from admin_api.dashboards import export
from admin_api.dashboards.heat import NAME, HeatMap, read_heat
from admin_api.dashboards.periods import calendar_of
from admin_api.desk import PREFIX, Desk
from admin_api.people.dependencies import requires
from admin_api.routers.dashboards import Asked
from web.documented import problems
from web.strict import StrictRoute

DATE_LENGTH_LIMIT: Final = 10

router = APIRouter(prefix=PREFIX, tags=["halls"], route_class=StrictRoute)

Reader = Annotated[Desk, Depends(requires("bookings.read"))]
Exporter = Annotated[Desk, Depends(requires("export"))]


class AskedDays(BaseModel):
    """Whole days of the studio's calendar."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    from_text: Annotated[
        str,
        Field(
            alias="from",
            max_length=DATE_LENGTH_LIMIT,
            description="First day; by default today.",
            examples=["2026-11-21"],
        ),
    ] = ""
    days: Annotated[int, Field(ge=1, le=DAYS_LIMIT)] = 1


class AskedHeat(Asked):
    """Which days, and of which hall; without one, of all that are for sale."""

    hall_id: UUID | None = None


@router.get(
    "/timeline",
    operation_id="read_timeline",
    responses=problems(401, 403),
    summary="Who has which hall when",
    description=f"At most {HALLS_LIMIT} halls and {TAKEN_LIMIT} rows; `is_cut` says that there is more.",
)
def timeline(desk: Reader, asked: Annotated[AskedDays, Query()]) -> Timeline:
    """All halls on some days."""
    return read_timeline(desk, choose_days(calendar_of(desk), asked.from_text, asked.days))


@router.get(
    "/today",
    operation_id="read_today",
    responses=problems(401, 403),
    summary="What the desk has to do today",
    description=f"Arrivals, what waits, and what contradicts itself; at most {TODAY_LIMIT} of each.",
)
def today(desk: Reader) -> Today:
    """By the studio's own clock."""
    return read_today(desk)


@router.get(
    "/heat-map",
    operation_id="read_heat_map",
    responses=problems(401, 403, 404),
    summary="How full the halls are by weekday and hour",
)
def heat_map(desk: Reader, asked: Annotated[AskedHeat, Query()]) -> HeatMap:
    """The share of open hall-hours that bookings took, and how many they were."""
    return read_heat(desk, asked.period(desk), asked.hall_id)


@router.get(
    "/heat-map.csv",
    operation_id="export_heat_map",
    responses={200: {"description": "UTF-8 CSV.", "content": {"text/csv": {}}}, **problems(401, 403, 404)},
    response_class=Response,
    summary="The same as CSV",
)
def heat_map_csv(desk: Exporter, asked: Annotated[AskedHeat, Query()]) -> Response:
    """Audited as an export; needs `bookings.read` as well."""
    period = asked.period(desk)
    text = export.export_heat(desk, period, asked.hall_id)
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name(NAME, period)}"'}
    return Response(text, headers=headers, media_type=export.MEDIA_TYPE)
