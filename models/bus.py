"""What travels: the commands' journal, the outbox, the inboxes, the log of events."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Count, JsonObject, Key, Sequence, Small, WrittenAt, check, tenant_key

_ACCEPTED = "state = 'accepted'"


class CommandJournal(Base):
    """Every command: the senders' outbox until it is applied, and the consumer's inbox."""

    __tablename__ = "command_journal"

    command_id: Mapped[Key]
    sequence: Mapped[Sequence]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    customer_id: Mapped[UUID | None]
    partition: Mapped[Small]
    kind: Mapped[str]
    schema_version: Mapped[Small]
    body: Mapped[bytes | None]
    body_hash: Mapped[bytes]
    request_hash: Mapped[bytes]
    principal: Mapped[str]
    correlation_id: Mapped[str]
    causation_id: Mapped[UUID | None]
    accepted_at: Mapped[WrittenAt]
    republish_at: Mapped[datetime] = mapped_column(
        server_default=text("clock_timestamp() + interval '15 seconds'")
    )
    publish_count: Mapped[Count]
    tries: Mapped[Count]
    state: Mapped[str] = mapped_column(server_default=text("'accepted'"))
    answered_at: Mapped[datetime | None]
    result: Mapped[JsonObject | None]
    problem: Mapped[JsonObject | None]

    __table_args__ = (
        check("command_journal_state_check", "state IN ('accepted', 'applied', 'refused', 'parked')"),
        check("command_journal_check", "(state = 'accepted') = (answered_at IS NULL)"),
        check("command_journal_check1", "state NOT IN ('refused', 'parked') OR problem IS NOT NULL"),
        Index("command_journal_waiting", "partition", "sequence", postgresql_where=text(_ACCEPTED)),
        Index("command_journal_republish", "republish_at", postgresql_where=text(_ACCEPTED)),
        Index("command_journal_answered", "answered_at", postgresql_using="brin"),
        Index("command_journal_parked", "sequence", postgresql_where=text("state = 'parked'")),
        Index("command_journal_studio", "studio_id", "sequence", postgresql_where=text("state <> 'applied'")),
    )


class Outbox(Base):
    """What leaves after commit: events for the bus, tasks for the workers."""

    __tablename__ = "outbox"

    id: Mapped[Key]
    sequence: Mapped[Sequence]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    channel: Mapped[str]
    kind: Mapped[str]
    schema_version: Mapped[Small]
    body: Mapped[JsonObject]
    correlation_id: Mapped[str]
    causation_id: Mapped[UUID]
    created_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    publish_count: Mapped[Count]
    published_at: Mapped[datetime | None]

    __table_args__ = (
        check("outbox_channel_check", "channel IN ('event', 'task')"),
        Index("outbox_waiting", "sequence", postgresql_where=text("published_at IS NULL")),
    )


class Inbox(Base):
    """What each consumer of events has had; on the embedded bus also where it waits."""

    __tablename__ = "inbox"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[Key]
    sequence: Mapped[Sequence]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    kind: Mapped[str]
    schema_version: Mapped[Small]
    body: Mapped[bytes]
    correlation_id: Mapped[str]
    received_at: Mapped[WrittenAt]
    due_at: Mapped[WrittenAt]
    tries: Mapped[Count]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))

    __table_args__ = (
        check("inbox_state_check", "state IN ('waiting', 'done', 'parked')"),
        Index("inbox_waiting", "consumer", "due_at", "sequence", postgresql_where=text("state = 'waiting'")),
    )


class CallbackInbox(Base):
    """A callback as it came, once; it became a command or was set aside with a reason."""

    __tablename__ = "callback_inbox"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    kind: Mapped[str]
    deduplication_hash: Mapped[bytes]
    body: Mapped[bytes | None]
    signature: Mapped[str]
    received_at: Mapped[WrittenAt]
    command_id: Mapped[UUID | None]
    set_aside: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("provider_account_id", "deduplication_hash"),
        tenant_key("provider_account_id", "provider_account"),
        check("callback_inbox_kind_check", "kind IN ('pay', 'fail', 'refund')"),
        check("callback_inbox_check", "num_nonnulls(command_id, set_aside) = 1"),
    )


class EventLog(Base):
    """Every event and error once, as it came off the bus; not yet indexed = `indexed_at` is NULL."""

    __tablename__ = "event_log"

    event_id: Mapped[Key]
    sequence: Mapped[Sequence]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    kind: Mapped[str]
    schema_version: Mapped[Small]
    is_error: Mapped[bool]
    customer_id: Mapped[UUID | None]
    subject_id: Mapped[UUID]
    body: Mapped[JsonObject]
    correlation_id: Mapped[str]
    occurred_at: Mapped[datetime]
    received_at: Mapped[WrittenAt]
    index_due_at: Mapped[WrittenAt]
    index_tries: Mapped[Count]
    indexed_at: Mapped[datetime | None]
    index_problem: Mapped[str | None]

    __table_args__ = (
        Index("event_log_studio", "studio_id", "sequence"),
        Index("event_log_kind", "studio_id", "kind", "sequence"),
        Index("event_log_errors", "studio_id", "sequence", postgresql_where=text("is_error")),
        Index("event_log_correlation", "studio_id", "correlation_id", "sequence"),
        Index("event_log_subject", "subject_id", "sequence"),
        Index("event_log_to_index", "index_due_at", "sequence", postgresql_where=text("indexed_at IS NULL")),
    )
