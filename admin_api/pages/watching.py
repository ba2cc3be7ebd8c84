"""What became of a command that a page has given, and choices for a picker: read by the pages' own script.

The notice on a page says the same without the script.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from admin_api.pages.cells import href_of
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import problem_text, tell
from admin_api.pages.site import Site
from admin_api.queries.lookups import LookUp, look_up
from admin_api.queries.operations import find_operations
from web.operations import Operation
from web.problems import STATUS_OF_CODE, not_found

TERM_LENGTH_LIMIT: Final = 200
_COLORS: Final = {"accepted": "info", "applied": "success", "refused": "danger", "parked": "warning"}


@dataclass(frozen=True, slots=True)
class Notice:
    """What stands on top of a page after something was done there; `href` leads to what it has made."""

    text: str
    color: Literal["info", "success", "danger", "warning"]
    state: str = ""
    watch: str | None = None
    again: str = ""
    href: str | None = None


def notice_of(request: Request) -> Notice | None:
    """The notice that the page's address asks for: `saved`, or what became of a command."""
    asked = request.query_params.get("operation")
    if asked is None:
        return Notice(tell(request, "page.saved"), "success") if "saved" in request.query_params else None
    operation = _find(request, asked)
    if operation is None:
        return None
    is_waiting = operation.state == "accepted"
    return Notice(
        _text(request, operation),
        _COLORS[operation.state],  # type: ignore[arg-type]
        operation.state,
        f"/admin/operations/{operation.command_id}" if is_waiting else None,
        f"?{request.url.query}",
        _made(request, operation),
    )


async def show_operation(site: Site, request: Request) -> Response:
    """`{state, text}` of one of the studio's commands. Raises Problem 403 or 404."""
    desk_of(request).require("operations.read")
    operation = await run_in_threadpool(_find, request, request.path_params["command_id"])
    if operation is None:
        raise not_found()
    return JSONResponse({"state": operation.state, "text": _text(request, operation)})


async def look_up_choices(site: Site, request: Request) -> Response:
    """What a picker offers for what was typed; at most what `look_up` gives. Raises Problem 403 or 404."""
    what = request.path_params["what"]
    if what not in get_args(LookUp):
        raise not_found()
    term = request.query_params.get("term", "")[:TERM_LENGTH_LIMIT]
    choices = await run_in_threadpool(look_up, desk_of(request), what, term)
    count = len(choices)
    status = (
        tell(request, "form.pick_found", {"count": count}) if count else tell(request, "form.pick_nothing")
    )
    return JSONResponse(
        {"items": [{"id": str(one.id), "text": one.text} for one in choices], "status": status}
    )


def _find(request: Request, command_id: str) -> Operation | None:
    desk = desk_of(request)
    try:
        wanted = UUID(command_id)
    except ValueError:
        return None
    with desk.transaction() as connection:
        return find_operations(connection, [wanted]).get(wanted)


def _made(request: Request, operation: Operation) -> str | None:
    """The page of a booking, which nobody could be sent to before its command was applied."""
    booking_id = (operation.result or {}).get("booking_id")
    href = href_of(request, "bookings", booking_id) if operation.state == "applied" and booking_id else None
    return None if href is None or request.url.path == href else href


def _text(request: Request, operation: Operation) -> str:
    if operation.state != "refused":
        return tell(request, f"operation.{operation.state}")
    facts = dict(operation.problem or {})
    code = str(facts.pop("code", "refused"))
    problem = problem_text(request, code, facts, STATUS_OF_CODE.get(code, 409))
    return tell(request, "operation.refused", {"problem": problem})
