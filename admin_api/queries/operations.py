"""Commands and what became of them: by their ids, by what they are about, and one for whoever may know.

Staff sees every command of its studio, whoever sent it; a customer only its own (`web.operations`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.queries.ids import find_uuid
from web.operations import Operation

_COLUMNS: Final = "command_id, kind, state, accepted_at, answered_at, result, problem"
_FIND = text(f"SELECT {_COLUMNS} FROM command_journal WHERE command_id = ANY(:ids)")  # noqa: S608
# The latest of each subject, one step down an index for each.
_LATEST = text(f"""
    SELECT wanted.id AS subject_id, j.* FROM unnest(CAST(:ids AS uuid[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT CAST(facts ->> 'command_id' AS uuid) AS command_id FROM audit
        WHERE subject_id = wanted.id AND facts ? 'command_id' ORDER BY occurred_at DESC LIMIT 1
    ) AS latest
    JOIN LATERAL (
        SELECT {_COLUMNS} FROM command_journal WHERE command_journal.command_id = latest.command_id
    ) AS j ON true
""")  # noqa: S608


def find_operations(connection: Connection, command_ids: Iterable[UUID]) -> Mapping[UUID, Operation]:
    wanted = list(command_ids)
    rows = connection.execute(_FIND, {"ids": wanted}) if wanted else ()
    return {row.command_id: Operation(*row) for row in rows}


def operations_of(connection: Connection, command_ids: Iterable[object]) -> Mapping[str, Operation]:
    """By ids as the audit's facts have them; what is no id is nobody's."""
    wanted = {found for each in command_ids if isinstance(each, str) and (found := find_uuid(each))}
    return {str(found): operation for found, operation in find_operations(connection, wanted).items()}


def latest_operations(connection: Connection, subject_ids: Sequence[UUID]) -> dict[UUID, Operation]:
    """The newest command that staff or a customer gave about each."""
    rows = connection.execute(_LATEST, {"ids": list(subject_ids)}) if subject_ids else ()
    return {subject_id: Operation(*columns) for subject_id, *columns in rows}
