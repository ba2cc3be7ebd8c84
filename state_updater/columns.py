"""The types that columns have in Postgres: fields of rows are annotated with them, statements made of them.

Used by the rooms of rows; `columns_of` by the texts that read and write them.
"""

from datetime import datetime
from typing import Annotated, ClassVar, get_args, get_origin, get_type_hints
from uuid import UUID

Uuid = Annotated[UUID, "uuid"]
Text = Annotated[str, "text"]
# As its text.
Json = Annotated[str, "jsonb"]
SmallInt = Annotated[int, "smallint"]
Integer = Annotated[int, "integer"]
BigInt = Annotated[int, "bigint"]
Boolean = Annotated[bool, "boolean"]
Bytes = Annotated[bytes, "bytea"]
Instant = Annotated[datetime, "timestamptz"]


def columns_of(row: type) -> dict[str, str]:
    """The Postgres type of each column of a row, in the order of its fields."""
    hints = get_type_hints(row, include_extras=True)
    return {name: _postgres_type(hint) for name, hint in hints.items() if get_origin(hint) is not ClassVar}


def _postgres_type(hint: object) -> str:
    """Of `Uuid`, or of `Uuid | None`."""
    (kind,) = [each.__metadata__[0] for each in (hint, *get_args(hint)) if get_origin(each) is Annotated]
    return str(kind)
