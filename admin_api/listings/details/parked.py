"""The page of a parked command: what it says, what went wrong, and what people did about it."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from pydantic import JsonValue
from sqlalchemy import select

from admin_api.desk import Desk
from admin_api.listings.details.parts import parts_of
from admin_api.listings.operations import AUDIT, PARKED, AuditRow, ParkedRow
from models.tables import Audit, CommandJournal


class ParkedDetail(ParkedRow):
    """`body` is None when it was blanked after its retention time, a text when it is no JSON."""

    schema_version: int
    publish_count: int
    body: JsonValue
    problem: dict[str, JsonValue]
    history: Sequence[AuditRow]


def parked_detail(desk: Desk, command_id: UUID) -> ParkedDetail:
    """Raises Problem 404, also for a command that is parked no more."""
    with desk.session() as session:
        head = PARKED.get(session, command_id)
        assert isinstance(head, ParkedRow)
        found = select(
            CommandJournal.schema_version,
            CommandJournal.publish_count,
            CommandJournal.body,
            CommandJournal.problem,
        )
        row = session.execute(found.where(CommandJournal.command_id == command_id)).one()
        return ParkedDetail.model_validate(
            {
                **dict(head),
                "schema_version": row.schema_version,
                "publish_count": row.publish_count,
                "body": _readable(row.body),
                "problem": row.problem or {},
                "history": parts_of(desk, session, AUDIT, AuditRow, Audit.subject_id == command_id),
            }
        )


def _readable(body: bytes | None) -> JsonValue:
    if body is None:
        return None
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")
    return value
