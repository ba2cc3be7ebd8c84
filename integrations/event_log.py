"""Events into the log. Called by the listener of the subscription `integrations`, in its transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from bus.events import ERRORS
from integrations.listening import Heard
from storage.event_log import EventEntry, record


def log_events(connection: Connection, heard: Sequence[Heard]) -> None:
    """Writes each once, by its id."""
    record(connection, [entry_of(each) for each in heard])


def entry_of(heard: Heard) -> EventEntry:
    """The row of an event."""
    event = heard.event
    return EventEntry(
        event_id=heard.event_id,
        studio_id=event.studio_id,
        kind=heard.kind,
        schema_version=event.schema_version,
        is_error=heard.kind in ERRORS,
        customer_id=event.customer_id,
        subject_id=event.subject_id,
        body=event.model_dump(mode="json"),
        correlation_id=heard.correlation_id,
        occurred_at=event.occurred_at,
    )
