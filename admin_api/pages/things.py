"""The page of one thing: what it is, what happened to it, what belongs to it, and what may be done now.

Everything is found in the view that the JSON API answers: single values become facts, lists become tables, so
that a view which grows needs no page of its own. What deserves more than that is named here: a machine's path
drawn, the timeline, notes, the raw body of a parked command.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import urlencode
from uuid import UUID

from markupsafe import Markup
from pydantic import BaseModel
from starlette.requests import Request

from admin_api.actions.action import Effect
from admin_api.actions.effects import refused
from admin_api.actions.registry import ACTIONS, foresee
from admin_api.listings import Listing
from admin_api.listings.details.customers import CustomerDetail
from admin_api.listings.operations import AuditRow
from admin_api.pages import audit
from admin_api.pages.buttons import Button, buttons_for, effect_words, form_path, heading_of
from admin_api.pages.cells import (
    MACHINES,
    Cell,
    Fact,
    Table,
    facts_of,
    href_of,
    state_cell,
    table_of,
)
from admin_api.pages.doors import desk_of, language_of
from admin_api.pages.drawing import Step, draw
from admin_api.pages.frame import tell, when_text
from admin_api.pages.timeline import timeline
from admin_api.pages.words import WORDS, Language, say
from admin_api.people.forms import new_form
from billing.invoices import INVOICE
from billing.payments import PAYMENT
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from booking.rules.machine import BOOKING
from kit.errors import Refused
from kit.machine import Machine
from web.problems import Problem
from web.views import Money

_MACHINES: Final[dict[str, Machine]] = {
    machine.name: machine for machine in (BOOKING, INVOICE, PAYMENT, REFUND, SUBSCRIPTION)
}
# Lists inside a view: whose rows they are, and what of them is worth a column beside the thing itself.
SECTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "attempts": ("payments", ("created_at", "state", "amount", "method", "decline_category", "decline_code")),
    "payments": ("payments", ("created_at", "state", "amount", "method", "decline_category")),
    "received": ("received", ("transaction_id", "amount", "refunded", "card_mask", "received_at")),
    "refunds": ("refunds", ("created_at", "state", "amount", "origin", "reason")),
    "invoices": ("invoices", ("number", "state", "total", "due", "created_at")),
    "subscriptions": (
        "subscriptions",
        ("plan", "price", "state", "current_period_end", "cancel_at_period_end"),
    ),
    "bookings": ("bookings", ("starts_at", "ends_at", "hall", "state", "total", "payment")),
    "tariffs": (
        "tariffs",
        ("per_hour", "standing", "rates", "duration_tiers", "effective_from", "version"),
    ),
    "extras": ("extras", ("name", "amount", "unit", "stock")),
    "blackouts": ("blackouts", ("starts_at", "ends_at", "note")),
    "notifications": ("notifications", ("due_at", "kind", "state", "problem")),
    "trail": ("events", ("occurred_at", "kind", "subject", "customer")),
    "calls": ("calls", ("started_at", "kind", "call_number", "outcome", "next_at")),
    "ledger": ("ledger", ("at", "debit", "credit", "amount")),
    "prices": (
        "prices",
        (
            "amount",
            "standing",
            "period_unit",
            "effective_from",
            "version",
            "active_subscriptions",
        ),
    ),
}
NOTE: Final = "add_note"
REPLAY: Final = "replay_command"
BOOK: Final = "book"
PEOPLE: Final = frozenset({"customers", "staff"})
TOLD_OF: Final = frozenset({"bookings", "subscriptions", "invoices", "payments", "received", "refunds"})
# Lists that stand beside the others where there is room.
_BESIDE: Final = frozenset({"audit", "history"})
# Fields that a page shows in a way of their own, or not at all.
_SPECIAL: Final = frozenset({"id", "path", "timeline", "notes", "allowed_triggers", "occasion"})


def context(request: Request, listing: Listing, view: BaseModel) -> dict[str, Any]:
    """What `thing.html` shows of `view`."""
    thing_id: UUID = view.id  # type: ignore[attr-defined]
    machine = MACHINES.get(listing.name, listing.name)
    state = getattr(view, "state", None)
    buttons = buttons_for(request, listing.name, thing_id)
    tables = list(_tables(request, listing, view))
    return {
        "heading": heading_of(request, listing.name, view),
        "trail": (tell(request, f"listing.{listing.name}"), f"/admin/{listing.name}/list"),
        "state": state_cell(request, machine, state) if state else None,
        "sums": _named_facts(request, listing, view, Money),
        "facts": _facts(request, listing, view),
        "tables": [one for one in tables if one.name not in _BESIDE],
        "beside": [one for one in tables if one.name in _BESIDE],
        "timeline": timeline(request, getattr(view, "timeline", ())),
        "notes": _notes(request, view),
        "drawing": _drawing(request, machine, view),
        "buttons": [
            *_without_note(buttons),
            *_book_link(request, listing, thing_id),
            *_audit_link(request, listing, thing_id),
            *_events_link(request, listing, thing_id),
        ],
        "note_form": _note_form(request, buttons, thing_id),
        "foreseen": _foreseen(request, listing, thing_id),
        "notice": request.state.notice,
    }


def drawing_words(language: Language) -> dict[str, str]:
    """The words that a drawn machine is labeled with."""
    prefix = "state."
    states = {key.removeprefix(prefix): say(language, key) for key in WORDS if key.startswith(prefix)}
    others = {key: say(language, key) for key in WORDS if key.startswith(("trigger.", "drawing."))}
    return states | others


def _is_list_of_views(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, BaseModel) for one in value)


def _named_facts(request: Request, listing: Listing, view: BaseModel, kind: type) -> list[Fact]:
    names = [name for name in type(view).model_fields if isinstance(getattr(view, name), kind)]
    return facts_of(request, listing.name, view, names)


def _facts(request: Request, listing: Listing, view: BaseModel) -> list[Fact]:
    if isinstance(view, AuditRow):
        return audit.facts_of(request, view)
    names = [
        name
        for name in type(view).model_fields
        if name not in _SPECIAL
        and not isinstance(getattr(view, name), Money)
        and not _is_list_of_views(getattr(view, name))
    ]
    return facts_of(request, listing.name, view, names)


def _tables(request: Request, listing: Listing, view: BaseModel) -> Iterator[Table]:
    """One for each list of views, an empty one too: that there is nothing is told."""
    for name in type(view).model_fields:
        value = getattr(view, name)
        if name in _SPECIAL or not _is_list_of_views(value) or value is None:
            continue
        yield _table(request, name, value)


def _table(request: Request, name: str, views: Sequence[BaseModel]) -> Table:
    title = tell(request, f"section.{name}")
    if not views:
        return Table(name, title, (), ())
    if name in _BESIDE:
        return Table(name, title, ("", ""), audit.rows_of(request, cast("Sequence[AuditRow]", views)))
    listing, columns = SECTIONS.get(name) or (name, _all_columns(views[0]))
    table = table_of(request, listing, title, views, columns)
    rows = [_linked(request, listing, view, row) for view, row in zip(views, table.rows, strict=True)]
    return Table(name, title, table.heads, rows)


def _all_columns(view: BaseModel) -> tuple[str, ...]:
    return tuple(name for name in type(view).model_fields if name not in _SPECIAL)


def _linked(request: Request, listing: str, view: BaseModel, row: Sequence[Cell]) -> list[Cell]:
    """The row whose first cell leads to the thing, when it has a page of its own."""
    href = href_of(request, listing, getattr(view, "id", None))
    first, *others = row
    return [replace(first, href=href or first.href), *others]


def _notes(request: Request, view: BaseModel) -> list[dict[str, str]] | None:
    if not isinstance(view, CustomerDetail):
        return None
    return [
        {"text": note.body, "who": note.who.name, "when": when_text(request, note.created_at)}
        for note in view.notes
    ]


def _note_form(request: Request, buttons: Sequence[Button], thing_id: UUID) -> dict[str, str] | None:
    """The form of a note right beside the notes, where this person may write one."""
    path = form_path(ACTIONS[NOTE], thing_id)
    if path not in {button.href for button in buttons}:
        return None
    desk = desk_of(request)
    form = new_form(desk.services, desk, path)
    return {"path": path, "key": form.key, "token": form.token}


def _without_note(buttons: Sequence[Button]) -> list[Button]:
    """The form of a note is on the page itself."""
    return [button for button in buttons if f"/{NOTE}/" not in button.href]


def _foreseen(request: Request, listing: Listing, thing_id: UUID) -> dict[str, object] | None:
    """What a parked command would do if it were sent again now."""
    action, desk = ACTIONS[REPLAY], desk_of(request)
    if listing.name != action.subject or not desk.person.may(action.permission):
        return None
    try:
        effect = foresee(desk, action, thing_id, action.body())
    except Refused as no:
        effect = refused(no)
    except Problem as no:
        effect = Effect(refusal={"code": no.code})
    return effect_words(request, effect)


def _book_link(request: Request, listing: Listing, thing_id: UUID) -> list[Button]:
    """For a customer or a hall: the form of a booking that begins with them."""
    field = {"customers": "customer_id", "halls": "hall_id"}.get(listing.name)
    action = ACTIONS[BOOK]
    if field is None or not desk_of(request).person.may(action.permission):
        return []
    href = f"{form_path(action, None)}?{urlencode({field: str(thing_id)})}"
    return [Button(href, tell(request, f"action.{BOOK}"))]


def _audit_link(request: Request, listing: Listing, thing_id: UUID) -> list[Button]:
    """For a person: all that they did."""
    if listing.name not in PEOPLE or not desk_of(request).person.may("audit.read"):
        return []
    return [Button(f"/admin/audit/list?who={thing_id}", tell(request, "page.their_audit"))]


def _events_link(request: Request, listing: Listing, thing_id: UUID) -> list[Button]:
    """For what events tell of: all of them."""
    if listing.name not in TOLD_OF or not desk_of(request).person.may("events.read"):
        return []
    return [Button(f"/admin/events/list?subject={thing_id}", tell(request, "page.its_events"))]


def _drawing(request: Request, machine: str, view: BaseModel) -> Markup | None:
    """The machine with the path of this thing on it."""
    path = getattr(view, "path", None)
    if machine not in _MACHINES or not path:
        return None
    steps = [Step(one.trigger, one.from_state, one.to_state, when_text(request, one.at)) for one in path]
    title = tell(request, "drawing.title")
    words = drawing_words(language_of(request))
    # Made of our own words and escaped there; nothing of it was typed by anybody.
    return Markup(draw(_MACHINES[machine], steps, words=words, title=title))  # noqa: S704
