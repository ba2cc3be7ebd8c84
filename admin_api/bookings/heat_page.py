"""The page of how full the halls are: the picture, the table beneath, and the CSV. Mounted by the pages."""

from base64 import b64encode
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from babel.dates import get_day_names
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from admin_api.dashboards import export
from admin_api.dashboards.context import Picture, PresetLink
from admin_api.dashboards.drawing import SHEETS
from admin_api.dashboards.heat import DAYS_LIMIT, NAME, WEEKDAYS, HeatCell, HeatMap, read_heat
from admin_api.dashboards.heat_picture import Words, draw_heat, heat_height, hours_shown
from admin_api.dashboards.periods import PRESETS, Period, period_of
from admin_api.pages.doors import desk_of, language_of
from admin_api.pages.formats import date_text, number_text
from admin_api.pages.frame import tell
from admin_api.pages.site import Site
from web.problems import invalid

HEAT: Final = "/admin/heat-map"
# The year is longer than DAYS_LIMIT.
PRESETS_OFFERED: Final = tuple(name for name in PRESETS if name != "year")


async def show_heat(site: Site, request: Request) -> Response:
    """Raises Problem 403, 404 and 422."""
    return await site.page(request, "bookings/heat.html", await run_in_threadpool(_context, request))


async def export_heat(site: Site, request: Request) -> Response:
    """The same cells as CSV. Raises Problem 403, 404 and 422."""
    return await run_in_threadpool(_csv, request)


def _csv(request: Request) -> Response:
    period = _period(request)
    text = export.export_heat(desk_of(request), period, _hall_id(request))
    headers = {"Content-Disposition": f'attachment; filename="{export.file_name(NAME, period)}"'}
    return Response(text, headers=headers, media_type=export.MEDIA_TYPE)


def _context(request: Request) -> dict[str, Any]:
    desk, language = desk_of(request), language_of(request)
    desk.require("bookings.read")
    period, hall_id = _period(request), _hall_id(request)
    board = read_heat(desk, period, hall_id)
    kept = {"hall_id": str(hall_id)} if hall_id else {}
    days = {"from": str(period.from_on), "to": str(period.to_on)}
    return {
        "title": tell(request, "menu.heat_map"),
        "board": board,
        "picture": _picture(request, board) if any(cell.count for cell in board.cells) else None,
        "weekdays": [_weekdays(request)[day] for day in WEEKDAYS],
        "rows": _rows(request, board),
        "csv_href": f"{HEAT}.csv?{urlencode({**kept, **days})}" if desk.person.may("export") else None,
        "days_limit": DAYS_LIMIT,
        "period": period,
        "period_words": {
            "from": date_text(period.from_on, language),
            "to": date_text(period.to_on, language),
        },
        "presets": [
            PresetLink(name, f"{HEAT}?{urlencode({**kept, 'preset': name})}", name == period.preset)
            for name in PRESETS_OFFERED
        ],
        "path": HEAT,
        "kept": kept,
        "number_of": partial(number_text, language=language),
    }


def _period(request: Request) -> Period:
    asked = request.query_params
    return period_of(desk_of(request), asked.get("from", ""), asked.get("to", ""), asked.get("preset", ""))


def _hall_id(request: Request) -> UUID | None:
    given = request.query_params.get("hall_id", "")
    try:
        return UUID(given) if given else None
    except ValueError:
        raise invalid(("query.hall_id", "not_a_uuid")) from None


def _picture(request: Request, board: HeatMap) -> Picture:
    title = tell(request, "heat.title")
    words = Words(title, _weekdays(request), lambda hour: f"{hour:02}")
    narrow, wide = (draw_heat(board.cells, words, size) for size in ("narrow", "wide"))
    fullest = max(board.cells, key=lambda cell: (cell.share_percent or 0, cell.count))
    facts = {
        "title": title,
        "weekday": words.weekdays[fullest.weekday],
        "hour": f"{fullest.hour:02}:00",
        "share": fullest.share_percent or 0,
    }
    return Picture(
        size="wide",
        screen=_data_address(wide),
        narrow=_data_address(narrow),
        width=SHEETS["wide"].width,
        height=heat_height(board.cells, "wide"),
        narrow_width=SHEETS["narrow"].width,
        narrow_height=heat_height(board.cells, "narrow"),
        words=tell(request, "heat.words", facts),
    )


def _data_address(picture: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(picture).decode()}"


def _rows(request: Request, board: HeatMap) -> list[tuple[str, list[str]]]:
    """The table's rows: an hour, and what each weekday has of it."""
    by_place = {(cell.weekday, cell.hour): cell for cell in board.cells}
    return [
        (f"{hour:02}:00", [_cell_text(request, by_place[day, hour]) for day in WEEKDAYS])
        for hour in hours_shown(board.cells)
    ]


def _cell_text(request: Request, cell: HeatCell) -> str:
    if cell.share_percent is None and not cell.count:
        return tell(request, "page.none")
    share = "" if cell.share_percent is None else f"{cell.share_percent}\u00a0%"
    return tell(request, "heat.cell", {"share": share or tell(request, "heat.closed"), "count": cell.count})


def _weekdays(request: Request) -> dict[int, str]:
    names = get_day_names("abbreviated", context="stand-alone", locale=language_of(request))
    return {day: str(names[day - 1]) for day in WEEKDAYS}
