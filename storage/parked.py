"""Parked commands of the journal: list, put back, answer. What a command says is never changed.

Called by the CLI as the owner and by the admin in one studio's transaction, on driver connections. Whoever
takes a parked command holds its row: of two at once, the second finds it parked no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bus.port import Envelope

Connection = psycopg.Connection[tuple[object, ...]]

_COLUMNS = "command_id, kind, schema_version, studio_id, answered_at, problem"
_LIST = f"SELECT {_COLUMNS} FROM command_journal WHERE state = 'parked' ORDER BY sequence LIMIT %s"  # noqa: S608
_FIND = f"SELECT {_COLUMNS}, body FROM command_journal WHERE command_id = %s AND state = 'parked'"  # noqa: S608
_PUT_BACK = """
UPDATE command_journal SET state = 'accepted', answered_at = NULL, result = NULL, problem = NULL, tries = 0,
    publish_count = 0, republish_at = clock_timestamp() + interval '15 seconds'
WHERE command_id = %s AND state = 'parked'
RETURNING command_id AS message_id, partition::text AS route, kind, schema_version, body, correlation_id,
    studio_id, causation_id
"""
_ANSWER = """
UPDATE command_journal SET state = 'refused', answered_at = clock_timestamp(), result = NULL, problem = %s
WHERE command_id = %s AND state = 'parked'
"""


@dataclass(frozen=True, slots=True)
class ParkedCommand:
    """One parked row. `problem` has a code and the facts of it. `body` is not read for lists, and is blanked
    after its retention time."""

    command_id: UUID
    kind: str
    schema_version: int
    studio_id: UUID
    answered_at: datetime
    problem: dict[str, object]
    body: bytes | None = None


def list_parked_commands(connection: Connection, limit: int) -> list[ParkedCommand]:
    """The oldest first."""
    with connection.cursor(row_factory=class_row(ParkedCommand)) as cursor:
        return cursor.execute(_LIST, [limit]).fetchall()


def find_parked_command(
    connection: Connection, command_id: UUID, *, lock: bool = False
) -> ParkedCommand | None:
    """None for what is parked no more or not seen here. `lock` holds it until the transaction ends."""
    with connection.cursor(row_factory=class_row(ParkedCommand)) as cursor:
        statement = f"{_FIND} FOR UPDATE" if lock else _FIND
        return cursor.execute(statement, [command_id]).fetchone()


def put_back(connection: Connection, command_id: UUID) -> Envelope:
    """Makes a locked, parked command an accepted one again; publish the envelope after commit."""
    with connection.cursor(row_factory=class_row(Envelope)) as cursor:
        envelope = cursor.execute(_PUT_BACK, [command_id]).fetchone()
    assert envelope is not None, "the caller has locked it"
    return envelope


def refuse(connection: Connection, command_id: UUID, problem: Mapping[str, object]) -> None:
    """Answers a locked, parked command: it will not be applied. `problem` has a code and its facts."""
    connection.execute(_ANSWER, [Jsonb(dict(problem)), command_id])
