"""What is done by the clock: the runs of jobs, and the messages that customers are sent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Count, JsonObject, Key, WrittenAt, check, tenant_key


class JobRun(Base):
    """One run of one scheduled job; `done` counts what it did."""

    __tablename__ = "job_run"

    job: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    done: Mapped[Count]
    problem: Mapped[str | None]

    __table_args__ = (
        check("job_run_outcome_check", "outcome IN ('done', 'failed')"),
        check("job_run_check", "(outcome IS NULL) = (finished_at IS NULL)"),
    )


class Notification(Base):
    """One message to one customer on one channel; the same occasion is told once.

    `facts` are ids, sums and instants: names and addresses are read when it is sent.
    """

    __tablename__ = "notification"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    kind: Mapped[str]
    channel: Mapped[str]
    subject_id: Mapped[UUID]
    occasion: Mapped[str]
    facts: Mapped[JsonObject]
    causation_id: Mapped[UUID]
    correlation_id: Mapped[str]
    planned_at: Mapped[WrittenAt]
    due_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    tries: Mapped[Count]
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    finished_at: Mapped[datetime | None]
    problem: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "kind", "subject_id", "occasion", "channel"),
        tenant_key("customer_id", "customer"),
        check("notification_channel_check", "channel IN ('email', 'sms')"),
        check("notification_state_check", "state IN ('planned', 'sent', 'superseded', 'failed')"),
        check("notification_check", "(state = 'planned') = (finished_at IS NULL)"),
        Index("notification_due", "due_at", "id", postgresql_where=text("state = 'planned'")),
        Index("notification_failed", "finished_at", postgresql_where=text("state = 'failed'")),
        Index("notification_customer", "customer_id", "id"),
        Index("notification_studio", "studio_id", "due_at", "id"),
    )
