"""What stands below the refusal of a taken time: others that are free, each the same form filled in with it.

Called by `doing` for whatever was refused; most refusals name none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from admin_api.actions.action import Action
from admin_api.actions.local_times import write_local
from admin_api.pages.doors import studio_of
from admin_api.pages.frame import span_text
from admin_api.pages.schemas import fields_typed


@dataclass(frozen=True, slots=True)
class OtherTime:
    """A hall and a time that could be had; `values` are the hidden fields of the form that takes it."""

    text: str
    values: Sequence[tuple[str, str]]


def other_times(
    request: Request, action: Action, typed: Mapping[str, str], problem: Mapping[str, object]
) -> list[OtherTime]:
    """Those that a problem names as `alternatives`; none for any other."""
    found = problem.get("alternatives")
    if not isinstance(found, list):
        return []
    return [_other_time(request, action, typed, one) for one in found]


def _other_time(
    request: Request, action: Action, typed: Mapping[str, str], found: Mapping[str, str]
) -> OtherTime:
    starts_at, ends_at = (datetime.fromisoformat(found[name]) for name in ("starts_at", "ends_at"))
    timezone = studio_of(request).timezone
    chosen = {
        "hall_id": found["hall_id"],
        "starts_at": write_local(timezone, starts_at),
        "ends_at": write_local(timezone, ends_at),
    }
    text = f"{found['hall_name']}, {span_text(request, starts_at, ends_at)}"
    return OtherTime(text, fields_typed(action, {**typed, **chosen}))
