"""What an action is: one thing that staff may do, with its permission, its fields and its foresight.

Declared in the rooms beside this file and in `admin_api.people`, collected in `admin_api.actions.registry`.
The JSON API makes a route of each, the pages a form. Nothing is done here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue, SecretStr
from pydantic.config import JsonDict
from sqlalchemy import Connection

from admin_api.desk import PREFIX, Desk
from kit.canonical import canonical_json
from kit.ids import sha256
from web.commands import CommandRequest
from web.fields import Body

ActionRequest = CommandRequest

# `pick:` searches, `choose:` offers all of what are few, `things:` shows what the address has named.
Widget = Literal[
    "money",
    "date",
    "local_time",
    "length",
    "pick:customers",
    "pick:prices",
    "choose:halls",
    "choose:extras",
    "things:bookings",
    "hours",
    "rates",
    "tiers",
    "terms",
    "choice",
    "text",
    "area",
    "json",
    "secret",
    "flag",
    "lines",
]


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One thing that would happen. `code` names the pages' words (`effect.<code>`), `facts` fill them.

    A fact is a count, a text, a day of the studio as `2026-12-01`, or minor units (`…_minor`, of `currency`).
    """

    code: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action would do now. With a `refusal` (its `code` and facts) it would do nothing."""

    lines: tuple[EffectLine, ...] = ()
    refusal: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What an action did. `operation`: the command that was accepted; `secret` is shown this once only."""

    operation: UUID | None = None
    subject_id: UUID | None = None
    secret: str | None = field(default=None, repr=False)


def always_open(_connection: Connection, _subject_id: UUID) -> bool:
    """For what is legal in every state."""
    return True


# Each action takes its own subject (a UUID, or None when it creates something) and its own body.
Run = Callable[[Desk, ActionRequest, Any, Any], Done]
Foresee = Callable[[Desk, Any, Any], Effect]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that staff may do.

    `path` is below PREFIX and holds `{subject_id}` when it is about something; `subject` is the name of that
    thing's Listing. `body` is the JSON body and the form's fields. `is_open` is a hint for buttons: what may
    be done is decided where it is done. `initial` gives the values that a form begins with. `is_command`: it
    gives a command, whose operation tells what became of it. `needs_key`: money moves, so a caller must name
    its request.
    """

    name: str
    permission: str
    path: str
    subject: str | None
    body: type[Body]
    run: Run
    preview: Foresee | None = None
    initial: Callable[[Connection, UUID], Mapping[str, JsonValue]] | None = None
    is_open: Callable[[Connection, UUID], bool] = always_open
    is_dangerous: bool = False
    is_command: bool = False
    needs_key: bool = False
    summary: str = ""


def widget(kind: Widget, **more: JsonValue) -> JsonDict:
    """How the one form template draws a field: `Field(json_schema_extra=widget("area"))`."""
    return {"widget": kind, **more}


def request_of(desk: Desk, action: Action, subject_id: UUID | None, body: Body, key: str) -> ActionRequest:
    """The request that a form makes: its `key` names it as an Idempotency-Key names one of the JSON API."""
    path = PREFIX + action.path.format(subject_id=subject_id)
    meaning = canonical_json([path, [], body.model_dump(mode="json") | _secrets_of(body)])
    return ActionRequest("POST", path, key, sha256(meaning), desk.correlation_id, desk.remote_address)


def _secrets_of(body: Body) -> dict[str, str]:
    # Dumped they all look alike, and another secret would be taken for the same request.
    return {name: value.get_secret_value() for name, value in body if isinstance(value, SecretStr)}
