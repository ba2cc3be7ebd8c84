"""Parked commands and dead letters as ops send them again from the command line, with their audit.

Called by `cli.bus` under the owner's login. Never changes what a command says.
"""

import getpass
from collections.abc import Mapping
from uuid import UUID

from psycopg.types.json import Jsonb

from bus.port import DeadLetter, Envelope
from kit.ids import new_id
from storage import parked
from storage.parked import Connection

_AUDIT = """
INSERT INTO audit (id, studio_id, principal, action, subject_id, facts, correlation_id)
SELECT %s, studio.id, %s, %s, %s, %s, %s FROM studio WHERE studio.id = %s
"""


class NotParked(Exception):
    """There is no such parked command, or its body has been blanked after its retention time."""


def put_back(connection: Connection, command_id: UUID) -> Envelope:
    """Makes a parked command an accepted one again and records who did; publish the envelope after commit.

    Raises NotParked.
    """
    command = parked.find_parked_command(connection, command_id, lock=True)
    if command is None or command.body is None:
        raise NotParked(f"There is no parked command {command_id} that could be sent again.")
    envelope = parked.put_back(connection, command_id)
    facts = {"kind": command.kind, "problem": command.problem}
    _audit(connection, "command.replayed", command_id, facts, envelope.correlation_id, command.studio_id)
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
