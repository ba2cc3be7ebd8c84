"""How a value of a view is shown: a state as a badge, a sum as money, a time as local time, an id as a link.

Called for lists, two-column cards and the tables on the pages of one thing. What a value means is told by its
type and its field's name alone, so that a new column needs no template.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.requests import Request

from admin_api.listings import LISTINGS
from admin_api.pages import formats
from admin_api.pages.doors import desk_of, language_of, studio_of
from admin_api.pages.frame import span_text, tell, when_text
from admin_api.pages.notations import NOTATIONS, write_seconds
from admin_api.pages.words import knows
from admin_api.queries.names import Who
from admin_api.queries.subjects import Subject
from bus.events import ERRORS
from web.views import Money

Color = Literal["grey", "blue", "azure", "green", "orange", "red", "purple", "dark"]
CellKind = Literal[
    "text", "short", "badge", "money", "number", "time", "json", "code", "id", "sentence", "lines"
]

COLORS: Final[dict[str, Color]] = {
    "draft": "grey",
    "intent": "grey",
    "requested": "grey",
    "waiting": "grey",
    "open": "blue",
    "accepted": "blue",
    "approved": "blue",
    "pending": "azure",
    "sent": "azure",
    "requires_action": "azure",
    "processing": "azure",
    "unknown": "orange",
    "paid": "green",
    "active": "green",
    "succeeded": "green",
    "applied": "green",
    "held": "azure",
    "awaiting_payment": "blue",
    "confirmed": "green",
    "completed": "dark",
    "no_show": "red",
    "expired": "orange",
    "declined": "orange",
    "not_sent": "orange",
    "past_due": "orange",
    "refused": "red",
    "parked": "red",
    "command.parked": "red",
    "notification.failed": "red",
    "failed": "red",
    "planned": "grey",
    "superseded": "dark",
    "rejected": "red",
    "refunded": "purple",
    "partially_refunded": "purple",
    "void": "dark",
    "canceled": "dark",
    "discarded": "dark",
    "deactivated": "dark",
    "current": "green",
    "coming": "blue",
    "past": "grey",
    "revoked": "dark",
}
# Which machine a listing's states belong to; others' states are words of the listing itself.
MACHINES: Final = {
    "bookings": "booking",
    "invoices": "invoice",
    "subscriptions": "subscription",
    "payments": "payment",
    "refunds": "refund",
    "parked": "operation",
}
# Ids of these fields lead to the page of the thing.
LINKS: Final = {
    "customer_id": "customers",
    "booking_id": "bookings",
    "hall_id": "halls",
    "tariff_id": "tariffs",
    "extra_id": "extras",
    "blackout_id": "blackouts",
    "subscription_id": "subscriptions",
    "invoice_id": "invoices",
    "attempt_id": "payments",
    "payment_id": "received",
    "provider_payment_id": "received",
    "refund_id": "refunds",
    "plan_id": "plans",
    "price_id": "prices",
    "provider_account_id": "provider_accounts",
    "staff_member_id": "staff",
}
# Fields whose values are the same words.
_VALUES: Final = {"debit": "account", "credit": "account", "decline_category": "category"}
# Fields that hold rules, and how these are written.
_RULES: Final = {
    "hours": "hours",
    "rates": "rates",
    "duration_tiers": "tiers",
    "terms": "terms",
    "cancellation_terms": "terms",
}
# Values that are no machine's state, and yet say how something stands.
_BADGES: Final = frozenset({"standing", "outcome"})
# So long a text is never broken into lines.
SHORT_LENGTH_MAX: Final = 16
# Codes of problems, told in words where these need no facts.
_PROBLEMS: Final = frozenset({"code", "command_problem"})
_CODES: Final = ("code", "_hash", "host", "correlation_id", "transaction_id", "address", "_id")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as text, and how it looks. `exact`: the instant behind a local time. A sentence has parts."""

    text: str
    kind: CellKind = "text"
    color: Color = "grey"
    href: str | None = None
    exact: str = ""
    parts: tuple["Cell", ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of cells; each row is as long as `heads`. `name` is the field that it came from."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def label_of(request: Request, listing: str, name: str) -> str:
    """A column's heading: the listing's own word, or the one that all share."""
    own = f"column.{listing}.{name}"
    return tell(request, own if knows(own) else f"column.{name}")


def cell_of(request: Request, listing: str, name: str, value: object) -> Cell:
    """`value` of the field `name` in a view of `listing`."""
    match value:
        case _ if value in (None, "", [], (), {}):
            return Cell(tell(request, "page.none"))
        case list() if name in _RULES and isinstance(value[0], Mapping):
            return _rules_cell(request, _RULES[name], value)
        case Money():
            return Cell(
                formats.money_text(value.amount_minor, value.currency, language_of(request)), kind="money"
            )
        case bool():
            return Cell(tell(request, "page.yes" if value else "page.no"))
        case datetime():
            return Cell(when_text(request, value), kind="time", exact=value.isoformat())
        case date():
            return Cell(when_text(request, value), kind="time", exact=value.isoformat())
        case int() if name.endswith("_seconds"):
            return Cell(write_seconds(value, language_of(request)), kind="short")
        case int():
            return Cell(formats.number_text(value, language_of(request)), kind="number")
        case UUID():
            return _id_cell(request, name, value)
        case Enum():
            return cell_of(request, listing, name, value.value)
        case str():
            return _text_cell(request, listing, name, value)
        case Who():
            return who_cell(request, value)
        case Subject():
            return subject_cell(request, value, "thing")
        case BaseModel() if hasattr(value, "id"):
            return _named_cell(request, name, value)
        case _:
            return _structured(value)


def shown(names: Iterable[str]) -> list[str]:
    """Fields as people see them: how many units a period has is told with the unit, an end with its start."""
    names = list(names)
    told = {"period_count", "ends_at"} if "starts_at" in names else {"period_count"}
    return [name for name in names if name not in told]


def field_cell(request: Request, listing: str, view: BaseModel, name: str) -> Cell:
    """A field of a view; a billing period in words, `3 months`, and a time from its start to its end."""
    value, count = getattr(view, name), getattr(view, "period_count", None)
    if name == "starts_at" and isinstance(ends_at := getattr(view, "ends_at", None), datetime):
        return Cell(span_text(request, value, ends_at), kind="time", exact=value.isoformat())
    if name == "period_unit" and knows(key := f"period.length.{value}"):
        return Cell(tell(request, key, {"count": count}), "short")
    return cell_of(request, listing, name, value)


def state_cell(request: Request, machine: str, state: str) -> Cell:
    """A state as a badge in the color of what it means."""
    key = f"state.{machine}.{state}"
    if not knows(key):
        key = f"value.outcome.{state}"
    word = tell(request, key) if knows(key) else state.replace("_", " ")
    return Cell(word, kind="badge", color=COLORS.get(state, "grey"))


def doing_key(name: str) -> str | None:
    """The words for something that was done: an action's, or a command's."""
    return next((key for key in (f"action.{name}", f"command.{name}") if knows(key)), None)


def facts_of(request: Request, listing: str, view: BaseModel, names: Iterable[str]) -> list[Fact]:
    return [
        Fact(label_of(request, listing, name), field_cell(request, listing, view, name))
        for name in shown(names)
    ]


def table_of(
    request: Request, listing: str, title: str, views: Sequence[BaseModel], names: Sequence[str]
) -> Table:
    """Views of one kind as a table of the fields `names`."""
    names = shown(names)
    rows = [[field_cell(request, listing, view, name) for name in names] for view in views]
    return Table(listing, title, [label_of(request, listing, name) for name in names], rows)


def subject_cell(request: Request, subject: Subject, manner: str) -> Cell:
    """What it is, in the words `<manner>.<listing>`, or in those that all things have."""
    key = f"{manner}.{subject.listing}"
    if not knows(key):
        key = f"thing.{subject.listing}"
    name = tell(request, doing) if (doing := doing_key(subject.name)) else subject.name
    text = tell(request, key, {"name": name or tell(request, "page.unnamed")})
    return Cell(text, href=href_of(request, subject.listing, subject.id))


def trace_href(request: Request, correlation_id: str) -> str | None:
    """All events of one request, for whoever may read them."""
    listing = LISTINGS["events"]
    if not desk_of(request).person.may(listing.permission):
        return None
    return f"/admin/{listing.name}/list?{urlencode({'correlation_id': correlation_id})}"


def href_of(request: Request, listing: str, thing_id: object) -> str | None:
    """The page of one thing, for whoever may open it."""
    found = LISTINGS.get(listing)
    if found is None or found.detail is None or not desk_of(request).person.may(found.permission):
        return None
    return f"/admin/{listing}/details/{thing_id}"


def shown_json(value: object) -> str:
    """A JSON value, indented, for reading."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def _id_cell(request: Request, name: str, value: UUID) -> Cell:
    """Nobody reads an id: where it leads to a page, it says so."""
    href = href_of(request, LINKS[name], value) if name in LINKS else None
    return Cell(tell(request, "page.open"), href=href) if href else Cell(str(value), kind="id")


def _text_cell(request: Request, listing: str, name: str, value: str) -> Cell:
    if name == "state":
        return state_cell(request, MACHINES.get(listing, listing), value)
    if name == "correlation_id":
        return Cell(value, kind="code", href=trace_href(request, value))
    if name == "command_state":
        return state_cell(request, "operation", value)
    if name in ("action", "kind") and (key := doing_key(value)):
        return Cell(tell(request, key))
    for key in (f"value.{listing}.{name}.{value}", f"value.{_VALUES.get(name, name)}.{value}"):
        if knows(key):
            kind: CellKind = "badge" if name in _BADGES or value in ERRORS else "short"
            return Cell(tell(request, key), kind, COLORS.get(value, "grey"))
    if (
        name in _PROBLEMS
        and "{" not in (told := tell(request, f"problem.{value}"))
        and knows(f"problem.{value}")
    ):
        return Cell(told)
    if name == "role" and knows(f"role.{value}"):
        return Cell(tell(request, f"role.{value}"))
    is_short = len(value) <= SHORT_LENGTH_MAX
    return Cell(value, kind="code" if name.endswith(_CODES) else "short" if is_short else "text")


def _named_cell(request: Request, name: str, value: BaseModel) -> Cell:
    """A thing inside a view: its name, and the way to its page."""
    title = next(
        (
            str(found)
            for field in ("name", "number", "label", "text")
            if (found := getattr(value, field, None))
        ),
        tell(request, "page.unnamed"),
    )
    kind: CellKind = "short" if len(title) <= SHORT_LENGTH_MAX else "text"
    return Cell(title, kind, href=href_of(request, LINKS.get(f"{name}_id", ""), getattr(value, "id", "")))


def who_cell(request: Request, who: Who) -> Cell:
    """A person by name, with the way to their page; a program by what it is."""
    key, job = f"who.{who.kind}", f"job.{who.name}"
    kind = tell(request, key) if knows(key) else who.kind
    listing = {"staff": "staff", "customer": "customers", "link": "customers"}.get(who.kind)
    if who.name and listing:
        name = f"{who.name}, {kind}" if who.kind == "link" else who.name
        return Cell(name, href=href_of(request, listing, who.id) if who.id else None)
    return Cell(f"{kind}: {tell(request, job)}" if who.kind == "cron" and knows(job) else kind)


def _rules_cell(request: Request, notation: str, rules: list[Mapping[str, Any]]) -> Cell:
    """A line for each rule, as a form takes them."""
    written = NOTATIONS[notation].write(rules, language_of(request), studio_of(request).currency)
    return Cell("\n".join(written), "lines")


def _structured(value: object) -> Cell:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, list | tuple) and all(isinstance(item, str | int) for item in value):
        return Cell(", ".join(map(str, value)))
    return Cell(shown_json(value if isinstance(value, Mapping | list | tuple) else str(value)), kind="json")
