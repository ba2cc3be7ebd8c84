"""An action's body as the fields of a form, with what stands in them and what is wrong, in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from starlette.requests import Request

from admin_api.actions.action import Action
from admin_api.pages.cells import shown_json
from admin_api.pages.doors import language_of, studio_of
from admin_api.pages.formats import money_text, read_amount, typed_amount
from admin_api.pages.frame import tell, when_text
from admin_api.pages.notations import NOTATIONS, write_seconds
from admin_api.pages.schemas import FLAG_ON, TERM_SUFFIX, columns_of, resolved, row_numbers, widget_of
from admin_api.pages.words import knows

# What pydantic and the routes call a fault → the words that say it.
_FAULTS: Final = {
    "missing": "missing",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "int_parsing": "number",
    "int_type": "number",
    "int_from_float": "number",
    "date_parsing": "date",
    "date_type": "date",
    "date_from_datetime_parsing": "date",
    "datetime_parsing": "date",
    "datetime_from_date_parsing": "date",
    "literal_error": "choice",
    "enum": "choice",
    "uuid_parsing": "uuid",
    "uuid_type": "uuid",
    "bool_parsing": "choice",
    "not_an_amount": "not_an_amount",
    "not_json": "json",
    "not_a_number": "number",
}
# Widgets in which a person writes one thing to a line.
_OF_LINES: Final = frozenset({"lines", "things", *NOTATIONS})
# How many of a list's rows a form offers beyond those that are filled.
ROWS_OFFERED: Final = 5


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `value` is what stands in it, `chosen` what a picker shows of it."""

    name: str
    widget: str
    label: str
    hint: str
    is_required: bool
    is_optional: bool = False
    placeholder: str = ""
    value: str = ""
    fault: str = ""
    options: tuple[Choice, ...] = ()
    length_max: int | None = None
    picks: str = ""
    chosen: str = ""
    found: tuple[Choice, ...] | None = None
    rows: tuple[tuple["Field", ...], ...] = ()


def fields_of(
    request: Request, action: Action, typed: Mapping[str, str], faults: Mapping[str, str]
) -> list[Field]:
    """The form of `action` with what stands in it."""
    schema = action.body.model_json_schema()
    required = schema.get("required", [])
    fields = []
    for name, part in schema.get("properties", {}).items():
        whole = resolved(schema, part)
        field = _filled(request, name, whole, name in required, typed, faults)
        columns = columns_of(schema, whole)
        fields.append(replace(field, rows=_rows(request, name, columns, typed, faults)) if columns else field)
    return fields


def typed_values(request: Request, action: Action, values: Mapping[str, Any]) -> dict[str, str]:
    """A body's values as they stand in a form's fields: what a form begins with."""
    schema = action.body.model_json_schema()
    parts = {name: resolved(schema, part) for name, part in schema.get("properties", {}).items()}
    typed: dict[str, str] = {}
    for name, value in values.items():
        if name not in parts or value is None:
            continue
        if columns := columns_of(schema, parts[name]):
            typed |= {
                f"{name}.{number}.{column}": _as_typed(request, widget_of(columns[column]), cell)
                for number, row in enumerate(value)
                for column, cell in row.items()
            }
        else:
            typed[name] = _as_typed(request, widget_of(parts[name]), value)
    return typed


def shown_values(request: Request, field: Field) -> list[str]:
    """What stands in a field as a person reads it back, a line for each row of a list."""
    if field.rows:
        rows = [[text for cell in row for text in shown_values(request, cell)] for row in field.rows]
        return [" · ".join(row) for row in rows if row]
    if not field.value:
        return []
    if field.widget == "money":
        studio = studio_of(request)
        amount = read_amount(field.value, studio.currency)
        return [money_text(amount, studio.currency, language_of(request))]
    if field.widget in NOTATIONS:
        return field.value.splitlines()
    if field.widget == "things":
        return [option.text for option in field.options]
    if field.widget == "date":
        return [when_text(request, date.fromisoformat(field.value))]
    if field.widget == "flag":
        return [tell(request, "page.yes")]
    chosen = [option.text for option in field.options if option.value == field.value]
    return chosen or [field.chosen or field.value]


def _filled(
    request: Request,
    name: str,
    part: Mapping[str, Any],
    is_required: bool,
    typed: Mapping[str, str],
    faults: Mapping[str, str],
) -> Field:
    return replace(
        _field(request, name, part, is_required),
        value=typed.get(name, ""),
        chosen=typed.get(name + TERM_SUFFIX, ""),
        fault=_fault_text(request, faults.get(name)),
    )


def _rows(
    request: Request,
    name: str,
    columns: Mapping[str, dict[str, Any]],
    typed: Mapping[str, str],
    faults: Mapping[str, str],
) -> tuple[tuple[Field, ...], ...]:
    """A list's rows as fields, those that were filled and some to fill."""
    count = max(row_numbers(name, typed), default=-1) + 1
    return tuple(
        tuple(
            _filled(request, f"{name}.{number}.{column}", part, False, typed, faults)
            for column, part in columns.items()
        )
        for number in range(max(count, ROWS_OFFERED))
    )


def _field(request: Request, name: str, part: Mapping[str, Any], is_required: bool) -> Field:
    widget = widget_of(part)
    hint = tell(request, f"hint.{name}") if knows(f"hint.{name}") else ""
    if not hint and widget == "money":
        hint = tell(request, "form.amount_hint")
    return Field(
        name=name,
        widget=widget.partition(":")[0],
        label=tell(request, f"field.{name.rpartition('.')[2]}"),
        hint=hint,
        is_required=is_required,
        # What has a value unless it is changed need not be called optional.
        is_optional=not is_required and part.get("default") in (None, ""),
        placeholder=_placeholder(request, part, widget),
        options=tuple(Choice(option, _option_text(request, name, option)) for option in part.get("enum", ())),
        length_max=part.get("maxLength"),
        picks=widget.partition(":")[2],
    )


def _placeholder(request: Request, part: Mapping[str, Any], widget: str) -> str:
    """In a list's cell, whose column head is not seen everywhere: the default, or what belongs there."""
    if "name" not in part:
        return ""
    label = tell(request, f"field.{part['name']}")
    return f"{label}: {part['default']}" if "default" in part and widget == "text" else label


def _option_text(request: Request, name: str, option: str) -> str:
    for key in (f"choice.{name}.{option}", f"choice.{option}", f"value.{name}.{option}", f"{name}.{option}"):
        if knows(key):
            return tell(request, key)
    return option


def _as_typed(request: Request, widget: str, value: Any) -> str:
    if widget == "money":
        return typed_amount(int(value), studio_of(request).currency, language_of(request))
    if widget == "length":
        return write_seconds(int(value), language_of(request))
    if widget == "json":
        return shown_json(json.loads(value) if isinstance(value, str) else value)
    if widget in NOTATIONS:
        studio, language = studio_of(request), language_of(request)
        return "\n".join(NOTATIONS[widget].write(value, language, studio.currency))
    if widget.partition(":")[0] in _OF_LINES:
        return "\n".join(map(str, value))
    if isinstance(value, bool):
        return FLAG_ON if value else ""
    return str(value)


def _fault_text(request: Request, fault: str | None) -> str:
    """A fault in words; `not_hours:2` is about the second line."""
    if fault is None:
        return ""
    code, _, line = fault.partition(":")
    own = f"fault.{code}"
    return tell(request, own if knows(own) else f"fault.{_FAULTS.get(code, 'value')}", {"line": line})
