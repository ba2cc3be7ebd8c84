"""What the forms know of an action's body: its JSON schema, and which widget draws each part of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from admin_api.actions.action import Action

FLAG_ON: Final = "on"
TERM_SUFFIX: Final = ".term"


def resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A property without its references and its `or null`."""
    merged = dict(part)
    for branch in part.get("anyOf", ()):
        if branch.get("type") != "null":
            merged |= {name: value for name, value in branch.items() if name not in part}
    if reference := merged.pop("$ref", None):
        merged = {**schema["$defs"][reference.rpartition("/")[2]], **merged}
    return merged


def widget_of(part: Mapping[str, Any]) -> str:
    if "widget" in part:
        return str(part["widget"])
    if part.get("name", "").endswith("_minor"):
        return "money"
    if "enum" in part:
        return "choice"
    return {"boolean": "flag", "integer": "text"}.get(part.get("type", ""), "text")


def columns_of(schema: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a list's rows; none for a list of plain texts."""
    items = part.get("items", {})
    row = resolved(schema, items) if items else {}
    return {
        name: resolved(schema, column) | {"name": name} for name, column in row.get("properties", {}).items()
    }


def row_numbers(name: str, typed: Mapping[str, str]) -> list[int]:
    """The rows in which something was typed, in their order."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d{{1,2}})\..+")
    found = {
        int(match[1]) for key, value in typed.items() if value.strip() and (match := pattern.fullmatch(key))
    }
    return sorted(found)


def defaults_of(action: Action) -> dict[str, Any]:
    """The values that fields have when nobody says anything."""
    fields = action.body.model_fields.items()
    return {
        name: field.default for name, field in fields if not field.is_required() and field.default is not None
    }


def fields_typed(action: Action, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """Of what was typed, what the action's body is read from."""
    names = action.body.model_fields
    return [
        (name, value)
        for name, value in typed.items()
        if value and name.partition(".")[0] in names and not name.endswith(TERM_SUFFIX)
    ]
