"""Lists of what happened, by the log of events, and of what customers were written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, or_

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, of_customers
from admin_api.queries.ids import find_uuid
from admin_api.queries.names import Named, customer_names
from admin_api.queries.subjects import Subject, subjects_of
from admin_api.walls import GuardedSession
from bus.events import EVENTS
from models.tables import EventLog, Notification
from notifications.kinds import KINDS
from web.views import View

NOTIFICATION_STATES: Final = ("planned", "sent", "superseded", "failed")


class EventRow(View):
    """One event as it came off the bus. `subject` is what it tells of; None when that is not in a list."""

    id: UUID
    occurred_at: datetime
    kind: str
    is_error: bool
    subject: Subject | None
    subject_id: UUID
    customer: Named | None
    correlation_id: str


class NotificationRow(View):
    """One message to one customer on one channel. `problem` says why it was not sent, or not yet."""

    id: UUID
    planned_at: datetime
    kind: str
    customer: Named
    channel: str
    state: str
    tries: int
    due_at: datetime
    finished_at: datetime | None
    problem: str | None
    subject: Subject | None
    occasion: str
    correlation_id: str


def _event_rows(session: GuardedSession, rows: Rows) -> Sequence[EventRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    subjects = subjects_of(session.connection(), (row.subject_id for row in rows))
    return [
        EventRow(
            id=row.event_id,
            occurred_at=row.occurred_at,
            kind=row.kind,
            is_error=row.is_error,
            subject=subjects.get(row.subject_id),
            subject_id=row.subject_id,
            customer=customers.get(row.customer_id),
            correlation_id=row.correlation_id,
        )
        for row in rows
    ]


def _notification_rows(session: GuardedSession, rows: Rows) -> Sequence[NotificationRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    subjects = subjects_of(session.connection(), (row.subject_id for row in rows))
    return [
        NotificationRow(
            id=row.id,
            planned_at=row.planned_at,
            kind=row.kind,
            customer=customers[row.customer_id],
            channel=row.channel,
            state=row.state,
            tries=row.tries,
            due_at=row.due_at,
            finished_at=row.finished_at,
            problem=row.problem,
            subject=subjects.get(row.subject_id),
            occasion=row.occasion,
            correlation_id=row.correlation_id,
        )
        for row in rows
    ]


def _logged(_session: GuardedSession, term: str) -> ColumnElement[bool]:
    """A correlation id, whatever it looks like, or the id of an event or of what it tells of."""
    wanted = find_uuid(term)
    told = EventLog.correlation_id == term
    return told if wanted is None else or_(told, EventLog.event_id == wanted, EventLog.subject_id == wanted)


EVENTS_LOG: Final = Listing(
    name="events",
    model=EventLog,
    permission="events.read",
    view=EventRow,
    columns=("occurred_at", "kind", "subject", "customer", "correlation_id"),
    fields=(
        EventLog.event_id,
        EventLog.sequence,
        EventLog.occurred_at,
        EventLog.kind,
        EventLog.is_error,
        EventLog.subject_id,
        EventLog.customer_id,
        EventLog.correlation_id,
    ),
    present=_event_rows,
    # In the order of logging: nothing is indexed by when it happened, and both are seldom apart.
    sorts={"occurred_at": EventLog.sequence},
    default_sort="-occurred_at",
    filters=(
        Filter("is_error", EventLog.is_error, "flag"),
        Filter("kind", EventLog.kind, "choice", tuple(EVENTS)),
        Filter("correlation_id", EventLog.correlation_id, "text", is_selective=True),
        Filter("subject", EventLog.subject_id, "uuid", is_selective=True),
    ),
    search=_logged,
    key_name="event_id",
)

NOTIFICATIONS: Final = Listing(
    name="notifications",
    model=Notification,
    permission="notifications.read",
    view=NotificationRow,
    columns=("due_at", "kind", "customer", "state", "problem", "tries"),
    fields=(
        Notification.id,
        Notification.planned_at,
        Notification.kind,
        Notification.customer_id,
        Notification.channel,
        Notification.state,
        Notification.tries,
        Notification.due_at,
        Notification.finished_at,
        Notification.problem,
        Notification.subject_id,
        Notification.occasion,
        Notification.correlation_id,
    ),
    present=_notification_rows,
    sorts={"due_at": Notification.due_at},
    default_sort="-due_at",
    filters=(
        Filter("state", Notification.state, "choice", NOTIFICATION_STATES),
        Filter("kind", Notification.kind, "choice", tuple(KINDS)),
        Filter("customer", Notification.customer_id, "uuid", is_selective=True),
        Filter("due_from", Notification.due_at, "date_from"),
        Filter("due_to", Notification.due_at, "date_to"),
    ),
    search=by_ids_or((Notification.id, Notification.customer_id), of_customers(Notification.customer_id)),
)
