"""Three pages of the desk: the board of halls, today, and how full the hours are.

Mounted by `admin_api.pages.mounting`. A GET each, and nothing is changed by any of them.
"""

from datetime import date, timedelta
from functools import partial
from typing import Any, Final, get_args
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from admin_api.bookings import links
from admin_api.bookings.board import ICONS, Scale, clock_text, day_text, days_on_page
from admin_api.bookings.days import WEEK_DAYS, Days, choose_days, monday_of, read_day
from admin_api.bookings.reading import HALLS_LIMIT, TAKEN_LIMIT, read_timeline
from admin_api.bookings.today import AHEAD, read_today
from admin_api.dashboards.periods import Calendar, calendar_of
from admin_api.pages.buttons import creators
from admin_api.pages.cells import COLORS, doing_key
from admin_api.pages.doors import desk_of, language_of
from admin_api.pages.formats import date_text
from admin_api.pages.frame import tell
from admin_api.pages.site import Site
from web.problems import invalid

BOARD: Final = "/admin/board"
TODAY: Final = "/admin/today"
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)


async def show_board(site: Site, request: Request) -> Response:
    """All halls on a day or in a week. Raises Problem 403 and 422."""
    return await site.page(request, "bookings/board.html", await run_in_threadpool(_board_context, request))


async def show_today(site: Site, request: Request) -> Response:
    """What the desk has to do today. Raises Problem 403."""
    return await site.page(request, "bookings/today.html", await run_in_threadpool(_today_context, request))


def _board_context(request: Request) -> dict[str, Any]:
    desk = desk_of(request)
    desk.require("bookings.read")
    scale = _scale(request)
    days = _days(request, calendar_of(desk), scale)
    timeline = read_timeline(desk, days)
    return {
        "title": _title(request, days, scale),
        "scale": scale,
        "days": days_on_page(request, timeline, days, scale),
        "as_of": timeline.as_of,
        "timezone": days.calendar.timezone,
        "ways": _ways(days, scale),
        "chosen": days.from_on,
        "path": BOARD,
        "icons": ICONS,
        "book": links.action_path(request, links.BOOK),
        "block": links.path_of_blocking(request),
        "cut": (HALLS_LIMIT, TAKEN_LIMIT) if timeline.is_cut else None,
        "buttons": creators(request, "bookings"),
    }


def _scale(request: Request) -> Scale:
    asked = request.query_params.get("scale", "day")
    found = next((scale for scale in SCALES if scale == asked), None)
    if found is None:
        raise invalid(("query.scale", "unknown"))
    return found


def _days(request: Request, calendar: Calendar, scale: Scale) -> Days:
    """The day that is asked for, or the week that it is in."""
    asked = request.query_params.get("on", "")
    if scale == "day":
        return choose_days(calendar, asked, 1)
    return choose_days(calendar, monday_of(read_day(calendar, asked)).isoformat(), WEEK_DAYS)


def _title(request: Request, days: Days, scale: Scale) -> str:
    if scale == "day":
        return f"{tell(request, 'menu.board')}: {day_text(request, days.from_on)}"
    language = language_of(request)
    facts = {"from": date_text(days.from_on, language), "to": date_text(days.dates[-1], language)}
    return tell(request, "board.week_of", {"first": facts["from"], "last": facts["to"]})


def _ways(days: Days, scale: Scale) -> dict[str, str]:
    """Where the keys and the links lead."""
    step = timedelta(days=days.count)
    today = days.calendar.today
    kept = today if today in days.dates else days.from_on
    return {
        "before": _address(days.from_on - step, scale),
        "after": _address(days.from_on + step, scale),
        "today": _address(today, scale),
        "day": _address(kept, "day"),
        "week": _address(days.from_on, "week"),
    }


def _address(on: date, scale: Scale) -> str:
    return f"{BOARD}?{urlencode({'on': on.isoformat(), 'scale': scale})}"


def _today_context(request: Request) -> dict[str, Any]:
    desk = desk_of(request)
    today = read_today(desk)
    day = Days(today.on, 1, calendar_of(desk))
    window, zone = day.window, day.zone
    return {
        "title": f"{tell(request, 'menu.today_at_desk')}: {day_text(request, today.on)}",
        "today": today,
        "at": lambda instant: clock_text(request, instant, window, zone),
        "has_begun": lambda one: one.state == "confirmed" and one.starts_at <= today.as_of,
        "buttons_of": partial(links.buttons, request),
        "booking_path": links.booking_path,
        "command_word": lambda kind: tell(request, doing_key(kind) or kind),
        "calm": [name for name in _urgent(request) if not getattr(today, name)],
        "colors": COLORS,
        "days_ahead": AHEAD.days,
        "path": TODAY,
        "buttons": creators(request, "bookings"),
    }


def _urgent(request: Request) -> list[str]:
    """The sections that are only there when somebody has to do something."""
    parked = ["parked"] if desk_of(request).person.may("parked.read") else []
    return ["unmarked", "waiting", "surcharges", "late_money", "owed_refunds", "misplaced", *parked]
