"""What a consumer writes in the journal beside the answers of a group, each in a transaction of its own."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import psycopg

from state_updater.apply import NOTIFY_APPLIED
from storage.outgoing import LATER

_COUNT_TRY = """
    UPDATE command_journal SET tries = tries + 1 WHERE command_id = %s AND state = 'accepted' RETURNING tries
"""
_PARK = """
    UPDATE command_journal SET state = 'parked', answered_at = clock_timestamp(), problem = %s::jsonb
    WHERE command_id = %s AND state = 'accepted'
"""
_PUT_BACK = f"UPDATE command_journal SET {LATER} WHERE command_id = %s AND state = 'accepted'"  # noqa: S608


class JournalDesk:
    """Short writes on the consumer's own connection; each commits before it returns, idempotent by id."""

    def __init__(self, connection: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connection = connection

    def count_try(self, command_id: UUID) -> int:
        """How often this command has been begun alone at a start; 0 if it is not waiting any more."""
        connection = self._connection()
        row = connection.execute(_COUNT_TRY, [command_id]).fetchone()
        connection.commit()
        return int(row[0]) if row else 0

    def park(self, command_id: UUID, problem: dict[str, Any]) -> int:
        """Sets a command aside for a person, and tells who waits for it. Returns how many rows: 0 or 1."""
        self._connection().execute(NOTIFY_APPLIED)
        return self._write(_PARK, [orjson.dumps(problem).decode(), command_id])

    def put_back(self, command_id: UUID) -> int:
        """Leaves a command to the journal, to be delivered again later."""
        return self._write(_PUT_BACK, [command_id])

    def _write(self, statement: str, parameters: list[Any]) -> int:
        connection = self._connection()
        count = connection.execute(statement, parameters).rowcount
        connection.commit()
        return count
