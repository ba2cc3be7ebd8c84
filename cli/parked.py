"""Parked commands of the journal as ops work with them: list, put back, audit.

Called by `cli.bus` under the owner's login. Never changes what a command says.
"""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bus.port import Envelope
from bus.rabbit.upkeep import DeadLetter
from kit.ids import new_id

Connection = psycopg.Connection[tuple[object, ...]]

_LIST = """
SELECT command_id, kind, studio_id, answered_at, problem FROM command_journal
WHERE state = 'parked' ORDER BY sequence LIMIT %s
"""
_FIND = """
SELECT command_id, kind, studio_id, answered_at, problem FROM command_journal
WHERE command_id = %s AND state = 'parked' AND body IS NOT NULL FOR UPDATE
"""
_PUT_BACK = """
UPDATE command_journal SET state = 'accepted', answered_at = NULL, result = NULL, problem = NULL, tries = 0,
    publish_count = 0, republish_at = clock_timestamp() + interval '15 seconds'
WHERE command_id = %s
RETURNING command_id AS message_id, partition::text AS route, kind, schema_version, body, correlation_id,
    studio_id, causation_id
"""
_AUDIT = """
INSERT INTO audit (id, studio_id, principal, action, subject_id, facts, correlation_id)
SELECT %s, studio.id, %s, %s, %s, %s, %s FROM studio WHERE studio.id = %s
"""


class NotParked(Exception):
    """There is no such parked command, or its body has been blanked after its retention time."""


@dataclass(frozen=True, slots=True)
class ParkedCommand:
    """One parked row. `problem` has a code and the facts of it."""

    command_id: UUID
    kind: str
    studio_id: UUID
    answered_at: datetime
    problem: dict[str, object]


def list_parked_commands(connection: Connection, limit: int) -> list[ParkedCommand]:
    """The oldest first."""
    with connection.cursor(row_factory=class_row(ParkedCommand)) as cursor:
        return cursor.execute(_LIST, [limit]).fetchall()


def put_back(connection: Connection, command_id: UUID) -> Envelope:
    """Makes a parked command an accepted one again and records who did; publish the envelope after commit.

    Raises NotParked.
    """
    with connection.cursor(row_factory=class_row(ParkedCommand)) as cursor:
        parked = cursor.execute(_FIND, [command_id]).fetchone()
    if parked is None:
        raise NotParked(f"There is no parked command {command_id} that could be sent again.")
    with connection.cursor(row_factory=class_row(Envelope)) as cursor:
        envelope = cursor.execute(_PUT_BACK, [command_id]).fetchone()
    assert envelope is not None
    facts = {"kind": parked.kind, "problem": parked.problem}
    _audit(connection, "command.replayed", command_id, facts, envelope.correlation_id, parked.studio_id)
    return envelope


def audit_replay(connection: Connection, letter: DeadLetter) -> bool:
    """Records that a dead letter is about to be sent again. False when it names no studio of ours."""
    try:
        studio_id, message_id = UUID(letter.studio_id or ""), UUID(letter.message_id or "")
    except ValueError:
        return False
    facts = {"kind": letter.kind, "queue": letter.queue, "reason": letter.reason}
    return _audit(connection, "dead_letter.replayed", message_id, facts, str(message_id), studio_id)


def _audit(
    connection: Connection,
    action: str,
    subject_id: UUID,
    facts: Mapping[str, object],
    correlation_id: str,
    studio_id: UUID,
) -> bool:
    principal = f"cli:{getpass.getuser()}"
    row = [new_id(), principal, action, subject_id, Jsonb(dict(facts)), correlation_id, studio_id]
    return connection.execute(_AUDIT, row).rowcount == 1
