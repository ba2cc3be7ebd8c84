"""Where a page of a list ends, as text that only means something to the list and sort that wrote it.

A cursor grants nothing: it is read strictly, and what it leads to is filtered as any other page is.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, ColumnElement, Integer, literal
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from web.problems import Problem, invalid
from web.strict import UnstorableText, storable

CURSOR_LENGTH_LIMIT: Final = 1_000
_BIGGEST: Final[Mapping[type[TypeEngine[Any]], int]] = {Integer: 2**31 - 1, BigInteger: 2**63 - 1}


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page: its value of the sort's column, as text, and its key."""

    value: str
    key: UUID

    def values(
        self, column: InstrumentedAttribute[Any], *key: InstrumentedAttribute[Any]
    ) -> list[ColumnElement[Any]]:
        """The value as the column's type, and the key where it is wanted too. Raises Problem 422."""
        value = _typed(self.value, column.type)
        return [literal(value, column.type), *(literal(self.key, each.type) for each in key)]


def write_cursor(listing: str, sort: str, value: object, key: UUID) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return urlsafe_b64encode(orjson.dumps([listing, sort, text, str(key)])).decode().rstrip("=")


def read_cursor(cursor: str, listing: str, sort: str) -> Position:
    """Raises Problem 422 for a cursor of another list or order, or one that nobody here wrote."""
    if len(cursor) > CURSOR_LENGTH_LIMIT:
        raise _no_cursor()
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = TypeAdapter(tuple[str, str, str, UUID]).validate_json(urlsafe_b64decode(padded))
        position = Position(storable(parts[2]), parts[3])
    except (UnicodeEncodeError, binascii.Error, ValidationError, UnstorableText):
        raise _no_cursor() from None
    if parts[:2] != (listing, sort) or write_cursor(listing, sort, *parts[2:]) != cursor:
        raise _no_cursor()
    return position


def _typed(text: str, column_type: TypeEngine[Any]) -> object:
    python_type = column_type.python_type
    try:
        value = TypeAdapter(python_type).validate_python(text) if python_type is not str else text
    except ValidationError:
        raise _no_cursor() from None
    if isinstance(value, int) and abs(value) > _BIGGEST.get(type(column_type), 0):
        raise _no_cursor()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise _no_cursor()
    return value


def _no_cursor() -> Problem:
    return invalid(("query.cursor", "not_a_cursor"))
