"""What stands below a refusal that names bookings: these, by name, and the form that lets them go.

Called by `doing` for whatever was refused; most refusals name none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.requests import Request

from admin_api.actions.clearing import CLEARED_LIMIT
from admin_api.actions.registry import ACTIONS
from admin_api.desk import Services
from admin_api.pages.buttons import form_path
from admin_api.pages.doors import desk_of
from admin_api.pages.fields import Choice
from admin_api.pages.frame import tell
from admin_api.people.forms import FormToken, new_form
from admin_api.queries.ids import find_uuid
from admin_api.queries.lookups import LOOK_UP_PERMISSIONS, name_bookings

# So many are named; a hall that is closed for longer has more in the way.
NAMED_LIMIT: Final = 50
CLEAR: Final = "clear_and_block_hall"
IN_THE_WAY: Final = "bookings_in_the_way"
# What of the form that was refused the other one begins with.
_KEPT: Final = ("starts_at", "ends_at", "note", "reason")


@dataclass(frozen=True, slots=True)
class WayOut:
    """The bookings, and the form that lets them go, for whoever may; `values` are its hidden fields."""

    bookings: Sequence[Choice]
    path: str = ""
    text: str = ""
    form: FormToken | None = None
    values: Sequence[tuple[str, str]] = ()


def named_bookings(request: Request, ids: Iterable[str]) -> list[Choice]:
    """By their times, as people tell them apart; what is no booking here is left out."""
    wanted = [found for each in ids if (found := find_uuid(each))][:NAMED_LIMIT]
    return [Choice(str(one.id), one.text) for one in name_bookings(desk_of(request), wanted)]


def way_out(
    services: Services,
    request: Request,
    hall_id: UUID | None,
    typed: Mapping[str, str],
    problem: Mapping[str, object],
) -> WayOut | None:
    """For a problem that names bookings; None for any other."""
    desk, ids = desk_of(request), problem.get("booking_ids")
    if not isinstance(ids, list) or not desk.person.may(LOOK_UP_PERMISSIONS["bookings"]):
        return None
    bookings, action = named_bookings(request, map(str, ids)), ACTIONS[CLEAR]
    is_offered = problem.get("code") == IN_THE_WAY and 0 < len(ids) <= CLEARED_LIMIT
    if not is_offered or hall_id is None or not desk.person.may(action.permission):
        return WayOut(bookings)
    path = form_path(action, hall_id)
    values = [(name, typed[name]) for name in _KEPT if typed.get(name)]
    values.append(("booking_ids", "\n".join(map(str, ids))))
    return WayOut(bookings, path, tell(request, f"action.{CLEAR}"), new_form(services, desk, path), values)
