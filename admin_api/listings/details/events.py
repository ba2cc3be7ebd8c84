"""The page of one event: what it says, and everything else that has its correlation id."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select

from admin_api.desk import Desk
from admin_api.listings.details.parts import parts_of
from admin_api.listings.events import EVENTS_LOG, EventRow
from models.tables import EventLog


class EventDetail(EventRow):
    """`logged_at`: when it came off the bus. `indexed_at`: when the search index took it, if there is one;
    `index_problem`: why it has not. `trail` has all that came of the same request, the last first."""

    schema_version: int
    logged_at: datetime
    indexed_at: datetime | None
    index_problem: str | None
    body: dict[str, JsonValue]
    trail: Sequence[EventRow]


def event_detail(desk: Desk, event_id: UUID) -> EventDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = EVENTS_LOG.get(session, event_id)
        assert isinstance(head, EventRow)
        found = select(
            EventLog.schema_version,
            EventLog.received_at,
            EventLog.indexed_at,
            EventLog.index_problem,
            EventLog.body,
        )
        row = session.execute(found.where(EventLog.event_id == event_id)).one()
        same = EventLog.correlation_id == head.correlation_id
        return EventDetail.model_validate(
            {
                **dict(head),
                "schema_version": row.schema_version,
                "logged_at": row.received_at,
                "indexed_at": row.indexed_at,
                "index_problem": row.index_problem,
                "body": row.body,
                "trail": parts_of(desk, session, EVENTS_LOG, EventRow, same),
            }
        )
