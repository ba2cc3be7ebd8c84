"""Ids as text and in conditions. Pure."""

import re
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, literal
from sqlalchemy.orm import InstrumentedAttribute

_UUID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


def find_uuid(text: str) -> UUID | None:
    """The UUID that `text` is, with or without dashes."""
    return UUID(text) if _UUID.fullmatch(text) else None


def among(column: InstrumentedAttribute[Any], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """`column` is one of `ids`: one parameter, however many they are."""
    return column == any_(literal(list(ids), ARRAY(Uuid())))
