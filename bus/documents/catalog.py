"""Commands and events with all that is known of each. Pure; computed once from the registry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from bus.documents.fields import EXAMPLES_OF, FIELDS
from bus.documents.words import EVENT_MEANINGS, SENDERS
from bus.events import ERRORS, EVENTS, Event
from bus.messages import COMMANDS, Command
from bus.port import SUBSCRIPTIONS

SCHEMA_PLACE: Final = "#/components/schemas/"
CONSUMER: Final = "billing_consumer"
RELAY: Final = "state_updater"

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a message, as a table shows it."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Described:
    """One message. `schema` is the name of its payload's schema, `example` a whole payload.

    `subject`: the field of an event that names what it tells of.
    """

    name: str
    kind: Literal["command", "event"]
    meaning: str
    schema: str
    schema_version: int
    fields: tuple[FieldRow, ...]
    example: JsonObject
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    subject: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What fields of messages consist of."""

    name: str
    meaning: str
    fields: tuple[FieldRow, ...]


@cache
def schemas() -> Mapping[str, JsonObject]:
    """JSON Schema of every payload by the name of its class, with meanings; parts of them are referred to."""
    models = {model.__name__: model for model in (*COMMANDS.values(), *EVENTS.values())}
    _, found = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template=f"{SCHEMA_PLACE}{{model}}"
    )
    return {name: _readable(schema) for name, schema in sorted(found["$defs"].items())}


def _readable(schema: JsonObject) -> JsonObject:
    """Without the titles that only repeat names, with meanings, and nothing left out: senders write all."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    fields: JsonObject = {
        name: _field(name, one) for name, one in properties.items() if isinstance(one, dict)
    }
    return {**schema, "properties": fields, "required": list(fields)}


def _field(name: str, schema: JsonObject) -> JsonObject:
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    return {**kept, "description": FIELDS[name].text(is_nullable=_is_nullable(schema))}


def _is_nullable(schema: JsonObject) -> bool:
    choices = schema.get("anyOf")
    return isinstance(choices, list) and {"type": "null"} in choices


@cache
def described() -> tuple[Described, ...]:
    """Commands, then events, each in the order of the registry."""
    return (*_commands(), *_events())


def _commands() -> Iterator[Described]:
    for name, command in COMMANDS.items():
        yield Described(
            name=name,
            kind="command",
            meaning=_sentence(command),
            schema=command.__name__,
            schema_version=command.schema_version,
            fields=_rows(command.__name__),
            example=_example(name, command),
            senders=tuple(process for process, names in SENDERS.items() if name in names),
            receivers=(CONSUMER,),
        )


def _events() -> Iterator[Described]:
    for name, event in EVENTS.items():
        yield Described(
            name=name,
            kind="event",
            meaning=EVENT_MEANINGS[name],
            schema=event.__name__,
            schema_version=event.schema_version,
            fields=_rows(event.__name__),
            example=_example(name, event),
            senders=(RELAY,),
            receivers=tuple(one.consumer for one in SUBSCRIPTIONS if name in one.events),
            subject=event.subject,
            is_error=name in ERRORS,
        )


@cache
def parts() -> tuple[Part, ...]:
    """Objects that stand inside messages."""
    payloads = {one.schema for one in described()}
    return tuple(
        Part(name, str(schema["description"]), _rows(name))
        for name, schema in schemas().items()
        if "properties" in schema and name not in payloads
    )


def _sentence(command: type[Command]) -> str:
    """The docstring on one line."""
    return " ".join((command.__doc__ or "").split())


def _example(name: str, model: type[Command] | type[Event]) -> JsonObject:
    own = EXAMPLES_OF.get(name, {})
    return {field: own.get(field, FIELDS[field].example) for field in model.model_fields}  # type: ignore[misc]


def _rows(schema_name: str) -> tuple[FieldRow, ...]:
    properties = schemas()[schema_name]["properties"]
    assert isinstance(properties, dict)
    return tuple(
        FieldRow(name, type_text(schema), str(schema["description"]))
        for name, schema in properties.items()
        if isinstance(schema, dict)
    )


def type_text(schema: JsonObject) -> str:
    """A JSON Schema of a field in a few words: `uuid or null`, `integer, 1 to 10 000`."""
    match schema:
        case {"anyOf": list(choices)}:
            return " or ".join(type_text(one) for one in choices if isinstance(one, dict))
        case {"enum": list(values)}:
            return " | ".join(f'"{value}"' for value in values)
        case {"$ref": str(place)}:
            return place.removeprefix(SCHEMA_PLACE)
        case {"type": "array", "items": dict(items)}:
            return f"array of {_bounded(type_text(items), schema, 'minItems', 'maxItems', ' items')}"
        case {"format": str(name)}:
            return name
        case {"type": "string", "pattern": str(pattern)}:
            return f"string {pattern}"
        case {"type": "string"}:
            return _bounded("string", schema, "minLength", "maxLength", " characters")
        case {"type": "integer"}:
            return _bounded("integer", schema, "minimum", "maximum", "")
        case {"type": str(name)}:
            return name
        case _:
            return "any JSON value"


def _bounded(name: str, schema: JsonObject, least: str, most: str, unit: str) -> str:
    """With the bounds that there are. Sums have an exclusive one: more than nothing."""
    above = schema.get("exclusiveMinimum")
    low, high = above + 1 if isinstance(above, int) else schema.get(least), schema.get(most)
    if not isinstance(high, int):
        return name
    known = f"{high:,}".replace(",", " ")
    return f"{name}, {f'{low} to' if low is not None else 'up to'} {known}{unit}"
