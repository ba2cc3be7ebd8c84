"""What was typed into a form, read: its fields, the action's body, or what is wrong with it and where."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request

from admin_api.actions.action import Action
from admin_api.pages.doors import studio_of
from admin_api.pages.formats import NotAnAmount, read_amount
from admin_api.pages.notations import NOTATIONS, NotALength, NotInNotation, read_seconds
from admin_api.pages.schemas import FLAG_ON, columns_of, resolved, row_numbers, widget_of
from web.fields import Body
from web.problems import Problem
from web.strict import strict_json

FIELDS_LIMIT: Final = 200
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, read: a body, or the codes of the faults by field."""

    body: Body | None
    faults: Mapping[str, str]


async def read_form(request: Request) -> dict[str, str]:
    """A form's fields as text, each at most once. Raises Problem 422, for other letters than UTF-8 too."""
    charset = _CHARSET.search(request.headers.get("content-type", ""))
    if charset is not None and charset[1].lower() != "utf-8":
        # No browser says so of our forms, and some charsets that Python knows decode into what is no text.
        raise Problem(422, "invalid_request")
    form = await request.form(max_files=0, max_fields=FIELDS_LIMIT)
    pairs = form.multi_items()
    fields = {name: value for name, value in pairs if isinstance(value, str)}
    if len(fields) != len(pairs) or any("\x00" in value for value in fields.values()):
        raise Problem(422, "invalid_request")
    return fields


def read_typed(request: Request, action: Action, typed: Mapping[str, str]) -> Typed:
    """What was typed as the action's body, or what is wrong with it."""
    schema = action.body.model_json_schema()
    values: dict[str, object] = {}
    faults: dict[str, str] = {}
    for name, part in schema.get("properties", {}).items():
        whole = resolved(schema, part)
        try:
            value = _read_field(request, schema, name, whole, typed)
        except _Unreadable as unreadable:
            faults[unreadable.name] = unreadable.fault
        else:
            if value is not None:
                values[name] = value
    if faults:
        return Typed(None, faults)
    try:
        return Typed(action.body.model_validate(values), {})
    except ValidationError as error:
        return Typed(None, {_place(one["loc"], typed): one["type"] for one in error.errors()})


def inner_facts(problem: Problem) -> Mapping[str, object]:
    """What a refusal says beside its code."""
    facts = problem.facts.get("facts")
    return facts if isinstance(facts, Mapping) else problem.facts


def faults_of(problem: Problem) -> dict[str, str]:
    """The faults that a 422 names, by field."""
    errors = problem.facts.get("errors")
    if not isinstance(errors, Sequence):
        return {}
    return {
        str(one["at"]).rpartition(".")[2]: str(one["fault"]) for one in errors if isinstance(one, Mapping)
    }


def _read_field(
    request: Request, schema: Mapping[str, Any], name: str, part: Mapping[str, Any], typed: Mapping[str, str]
) -> object:
    """Raises _Unreadable."""
    columns = columns_of(schema, part)
    if not columns:
        return _read(request, name, part, typed.get(name, ""))
    rows = []
    for number in row_numbers(name, typed):
        cells = {column: typed.get(f"{name}.{number}.{column}", "") for column in columns}
        read = {
            column: _read(request, f"{name}.{number}.{column}", columns[column], cells[column])
            for column in cells
        }
        rows.append({column: value for column, value in read.items() if value is not None})
    return rows


class _Unreadable(Exception):
    """What was typed means nothing there."""

    def __init__(self, name: str, fault: str) -> None:
        self.name, self.fault = name, fault
        super().__init__(name, fault)


def _read(request: Request, name: str, part: Mapping[str, Any], typed: str) -> object:
    try:
        return _value_of(request, part, typed)
    except NotAnAmount:
        raise _Unreadable(name, "not_an_amount") from None
    except NotALength:
        raise _Unreadable(name, "not_a_length") from None
    except NotInNotation as unread:
        raise _Unreadable(name, f"not_{widget_of(part)}:{unread.line}") from None
    except Problem:
        raise _Unreadable(name, "not_json") from None
    except ValueError:
        raise _Unreadable(name, "not_a_number") from None


def _value_of(request: Request, part: Mapping[str, Any], typed: str) -> object:
    """A value for the body; None for a field left empty. Raises NotAnAmount, NotALength, NotInNotation,
    Problem and ValueError."""
    widget = widget_of(part)
    if widget == "flag":
        return typed == FLAG_ON
    text = typed if widget in ("secret", "area", "json") else typed.strip()
    if not text and part.get("type") == "array" and not part.get("minItems"):
        return []
    if not text:
        return (
            ""
            if widget in ("text", "area") and part.get("type") == "string" and not part.get("minLength")
            else None
        )
    if widget == "money":
        return read_amount(text, studio_of(request).currency)
    if widget == "length":
        return read_seconds(text)
    if widget == "json":
        return strict_json(text.encode())
    if widget in NOTATIONS:
        return NOTATIONS[widget].read(text, studio_of(request).currency)
    if widget.partition(":")[0] in ("lines", "things"):
        return [line for line in (line.strip() for line in text.splitlines()) if line]
    if part.get("type") == "integer":
        return int(text)
    return text.replace("\r\n", "\n")


def _place(location: tuple[int | str, ...], typed: Mapping[str, str]) -> str:
    """The form's field that a fault is about: of a list, the row and column as they were typed."""
    whole = ".".join(map(str, location))
    return whole if whole in typed else str(location[0]) if location else ""
