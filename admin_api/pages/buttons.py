"""Where buttons are and where they lead: which actions a person has with a thing or a list, and their words.

Asked by every page; what a button does is in `doing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.requests import Request

from admin_api.actions.action import Action, Done, Effect, EffectLine
from admin_api.actions.registry import ACTIONS, open_actions
from admin_api.listings import LISTINGS
from admin_api.pages.cells import doing_key
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import problem_text, tell
from admin_api.pages.words import knows
from billing.ledger import Posting
from web.problems import STATUS_OF_CODE

# What is made on the page of another list.
MADE_BESIDE: Final[dict[str, tuple[str, ...]]] = {"staff": ("invitations",)}
# What is done with a thing of these lists takes it off them.
EMPTIED: Final = frozenset({"parked", "blackouts"})
# Effects that only engineers want to read; they stand folded below the others.
TECHNICAL: Final = frozenset(
    {
        "event",
        "step.invoice.draw",
        "step.refund.send",
        "task.start_payment",
        "task.send_refund",
        *(
            f"posting.{posting}"
            for posting in Posting
            if "unapplied" not in posting and "excess" not in posting
        ),
    }
)
_NAMES: Final = (
    "number", "name", "label", "transaction_id", "public_id", "invoice", "customer", "hall", "plan", "kind",
    "action",
)  # fmt: skip
# What these are is what was done.
_DOINGS: Final = {
    "parked": ("kind",),
    "audit": ("action",),
    "events": ("kind",),
    "notifications": ("kind",),
}


@dataclass(frozen=True, slots=True)
class Button:
    """A link to an action's form."""

    href: str
    text: str
    is_primary: bool = False
    is_dangerous: bool = False


def buttons_for(request: Request, subject: str, subject_id: UUID) -> list[Button]:
    """What this person may do with this thing now; one at most is the page's main button."""
    desk = desk_of(request)
    with desk.transaction() as connection:
        actions = open_actions(desk, connection, subject, subject_id)
    # What shows its effect first is what the page is for; changing a description is not.
    main = next((action for action in actions if not action.is_dangerous and action.preview), None)
    return [
        Button(
            form_path(action, subject_id),
            tell(request, f"action.{action.name}"),
            is_primary=action is main,
            is_dangerous=action.is_dangerous,
        )
        for action in sorted(actions, key=lambda action: action.is_dangerous)
    ]


def button_of(request: Request, action: Action, subject_id: UUID | None) -> Button:
    text = tell(request, f"action.{action.name}")
    return Button(form_path(action, subject_id), text, is_dangerous=action.is_dangerous)


def creators(request: Request, room: str) -> list[Button]:
    """What this person may make on the page of this list, or whose path begins so."""
    person = desk_of(request).person
    return [
        button_of(request, action, None)
        for action in ACTIONS.values()
        if action.subject is None
        and _room_of(action) in (room, *MADE_BESIDE.get(room, ()))
        and person.may(action.permission)
    ]


def form_path(action: Action, subject_id: UUID | None) -> str:
    """Where the form of an action is."""
    return f"/admin/do/{action.name}" + (f"/{subject_id}" if subject_id else "")


def page_of(action: Action, subject_id: UUID | None, done: Done | None = None) -> str:
    """The page of the subject, of what was made, or the list where it will be."""
    listing = listing_of(action)
    if not listing or action.permission == "self":
        return "/admin/profile" if action.permission == "self" else "/admin/platform"
    thing_id = subject_id or (done.subject_id if done and done.operation is None else None)
    is_gone = (done is not None and listing in EMPTIED) or (action.subject or _room_of(action)) != listing
    if thing_id is None or is_gone or LISTINGS[listing].detail is None:
        return f"/admin/{listing}/list"
    return f"/admin/{listing}/details/{thing_id}"


def listing_of(action: Action) -> str:
    """The list where the action's things are shown: its subject's, or the first part of its path's."""
    name = action.subject or _room_of(action)
    shown = next((listing for listing, rooms in MADE_BESIDE.items() if name in rooms), name)
    return shown if shown in LISTINGS else ""


def heading_of(request: Request, listing: str, view: object) -> str:
    """What kind of thing this is, and what people call it."""
    name = _name_of(view, _DOINGS.get(listing, _NAMES))
    own = f"value.{listing}.kind.{name}"
    key = doing_key(name) or (own if knows(own) else f"value.kind.{name}")
    return tell(request, f"thing.{listing}", {"name": tell(request, key) if knows(key) else name})


def effect_words(request: Request, effect: Effect) -> dict[str, object]:
    """What an action would do, line by line, or why it would do nothing."""
    facts = dict(effect.refusal or {})
    code = str(facts.pop("code", ""))
    told = (line for line in effect.lines if line.facts.get("count") != 0 or knows(_effect_key(line)))
    lines = [(_is_technical(line), tell(request, _effect_key(line), line.facts)) for line in told]
    return {
        "lines": [words for is_technical, words in lines if not is_technical],
        "technical": [words for is_technical, words in lines if is_technical],
        "refusal": problem_text(request, code, facts, STATUS_OF_CODE.get(code, 409)) if code else "",
    }


def _effect_key(line: EffectLine) -> str:
    """Money that goes back to a card is said so; none of something is said otherwise, or not at all."""
    key = f"effect.{line.code}"
    if line.facts.get("count") == 0:
        return f"{key}.none"
    to_card = f"{key}.to_card"
    return to_card if "card" in line.facts and knows(to_card) else key


def _is_technical(line: EffectLine) -> bool:
    """What our programs do among themselves, which nobody outside ever sees."""
    return line.code in TECHNICAL


def _room_of(action: Action) -> str:
    return action.path.strip("/").partition("/")[0]


def _name_of(view: object, names: Sequence[str]) -> str:
    """What a person calls this: its own number or name, that of what it belongs to, or its id."""
    for name in names:
        found = getattr(view, name, None)
        found = getattr(found, "name", found)
        if found:
            return str(found)
    return str(getattr(view, "id", ""))
