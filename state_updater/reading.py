"""Asking for rows, under lock or without, in one pipeline.

Called by `loading`, which decides what is asked for, with the texts of `statements`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from state_updater.statements import LOCKING

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


class Reader:
    """Statements queued in one pipeline, read after one wait."""

    def __init__(self, connection: Connection, *, locking: bool) -> None:
        self._connection = connection
        self.is_locking = locking

    def ask(self, statement: str, *parameters: Sequence[Any]) -> Cursor | None:
        """None, and nothing is asked, if the first parameter holds nothing to ask about."""
        if parameters and not parameters[0]:
            return None
        return self.run(statement, *parameters)

    def ask_any(self, statement: str, *parameters: Sequence[Any]) -> Cursor | None:
        """None, and nothing is asked, if no parameter holds anything."""
        return self.run(statement, *parameters) if any(parameters) else None

    def run(self, statement: str, *parameters: Sequence[Any]) -> Cursor:
        if not self.is_locking:
            statement = statement.removesuffix(LOCKING)
        return self._connection.cursor(binary=True).execute(statement, parameters, prepare=True)


def rows_by_id(kind: Any, *cursors: Cursor | None) -> dict[UUID, Any]:
    """What was found, as `kind`, once the pipeline has been waited for."""
    return {row[0]: kind(*row) for cursor in cursors if cursor is not None for row in cursor}
