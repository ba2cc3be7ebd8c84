"""Commands as their sender may see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the journal without its body."""

    command_id: UUID
    kind: str
    state: str
    accepted_at: datetime
    answered_at: datetime | None
    result: Mapping[str, object] | None
    problem: Mapping[str, object] | None


_FIND = text("""
    SELECT command_id, kind, state, accepted_at, answered_at, result, problem FROM command_journal
    WHERE command_id = :command_id AND principal = :principal
""")


def find_operation(connection: Connection, command_id: UUID, principal: str) -> Operation | None:
    """Only what `principal` sent itself."""
    row = connection.execute(_FIND, {"command_id": command_id, "principal": principal}).one_or_none()
    return Operation(*row) if row else None
