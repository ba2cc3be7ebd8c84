"""The queue of messages to customers: planned once per occasion, claimed when due, finished once.

Planned by `notifications.planning` (for the events process and for cron), claimed and finished by the
worker's task. A claim is committed before anything is sent, so that no transaction is open over SMTP; one
that is never finished is due again: a message may leave twice under one Message-ID, never not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from bus.events import NotificationFailed
from kit.ids import derived_id

PAGE_LIMIT: Final = 50
PROBLEM_LENGTH_LIMIT: Final = 200

Channel = Literal["email", "sms"]

_PLAN = text("""
    INSERT INTO notification (id, studio_id, customer_id, kind, channel, subject_id, occasion, facts,
        causation_id, correlation_id, due_at)
    VALUES (:id, :studio_id, :customer_id, :kind, :channel, :subject_id, :occasion, CAST(:facts AS jsonb),
        :causation_id, :correlation_id, :due_at)
    ON CONFLICT DO NOTHING
""")
# The oldest first; those past their life come on every channel, for they are only to be finished.
_CLAIM = text("""
    UPDATE notification SET claimed_until = :now + make_interval(secs => :claim_seconds)
    WHERE id IN (SELECT id FROM notification WHERE state = 'planned' AND due_at <= :now
            AND (claimed_until IS NULL OR claimed_until < :now)
            AND (channel = ANY(:channels)
                OR greatest(planned_at, CAST(facts ->> 'due_at' AS timestamptz)) < :too_old)
        ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, studio_id, customer_id, kind, channel, subject_id, occasion, facts, correlation_id,
        planned_at, due_at, tries
""")
_MARK_SENT = text("""
    UPDATE notification SET state = 'sent', tries = tries + 1, finished_at = :now, claimed_until = NULL,
        problem = NULL
    WHERE id = :id AND state = 'planned'
""")
_SUPERSEDE = text("""
    UPDATE notification SET state = 'superseded', finished_at = :now, claimed_until = NULL, problem = :problem
    WHERE id = :id AND state = 'planned'
""")
# What was planned for a time that the booking has not got any more.
_WITHDRAW = text("""
    UPDATE notification n SET state = 'superseded', finished_at = :now, problem = :problem
    FROM booking b
    WHERE n.studio_id = :studio_id AND n.subject_id = :booking_id AND n.kind = ANY(:kinds)
        AND n.state = 'planned' AND b.id = n.subject_id
        AND (b.state <> ALL(:standing) OR (b.hall_id, b.starts_at, b.ends_at) IS DISTINCT FROM (
            CAST(n.facts ->> 'hall_id' AS uuid), CAST(n.facts ->> 'starts_at' AS timestamptz),
            CAST(n.facts ->> 'ends_at' AS timestamptz)))
""")
_FAIL = text("""
    UPDATE notification SET state = 'failed', tries = tries + :more_tries, finished_at = :now,
        claimed_until = NULL, problem = :problem
    WHERE id = :id AND state = 'planned'
""")
_PUT_OFF = text("""
    UPDATE notification SET due_at = :due_at, tries = tries + :more_tries, claimed_until = NULL,
        problem = COALESCE(:problem, problem)
    WHERE id = :id AND state = 'planned'
""")
# By the studio's clock, as every event.
_TELL_OF_FAILED = text("""
    INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id, causation_id,
        created_at)
    VALUES (:id, :studio_id, 'event', 'notification.failed', :schema_version, CAST(:body AS jsonb),
        :correlation_id, :causation_id, clock_timestamp())
""")
_STUDIO_NOW = text("""
    SELECT CAST(:now AS timestamptz) + make_interval(secs => COALESCE(
        (SELECT offset_seconds FROM clock_offset WHERE studio_id = :studio_id), 0))
""")


@dataclass(frozen=True, slots=True)
class Planned:
    """A message that is wanted. `occasion` makes it another one for the same kind and subject.

    `facts` are ids, sums and instants, never a name or an address. `due_at` is by the world's clock, not the
    studio's; one that is planned long ahead has it among its facts, too: its life begins then.
    """

    studio_id: UUID
    customer_id: UUID
    kind: str
    channel: Channel
    subject_id: UUID
    occasion: str
    facts: Mapping[str, object]
    causation_id: UUID
    correlation_id: str
    due_at: datetime

    @property
    def id(self) -> UUID:
        return derived_id(
            "notification", self.studio_id, self.kind, self.subject_id, self.occasion, self.channel
        )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message whose time has come, one worker's until its claim ends. `tries`: how often it was sent."""

    id: UUID
    studio_id: UUID
    customer_id: UUID
    kind: str
    channel: Channel
    subject_id: UUID
    occasion: str
    facts: Mapping[str, object] = field(repr=False)
    correlation_id: str
    planned_at: datetime
    due_at: datetime
    tries: int

    @property
    def wanted_at(self) -> datetime:
        """Since when it should be there, however often it was put off."""
        due_at = self.facts.get("due_at")
        return (
            max(self.planned_at, datetime.fromisoformat(due_at))
            if isinstance(due_at, str)
            else self.planned_at
        )


def plan(connection: Connection, planned: Sequence[Planned]) -> int:
    """Writes messages in the caller's transaction; how many of them were new. Idempotent by their ids.

    Needs INSERT and SELECT on notification.
    """
    return sum(connection.execute(_PLAN, _row(each)).rowcount for each in planned)


def _row(planned: Planned) -> dict[str, object]:
    return {
        "id": planned.id,
        "studio_id": planned.studio_id,
        "customer_id": planned.customer_id,
        "kind": planned.kind,
        "channel": planned.channel,
        "subject_id": planned.subject_id,
        "occasion": planned.occasion,
        "facts": orjson.dumps(planned.facts, option=orjson.OPT_UTC_Z).decode(),
        "causation_id": planned.causation_id,
        "correlation_id": planned.correlation_id,
        "due_at": planned.due_at,
    }


def claim_due(
    connection: Connection,
    now: datetime,
    *,
    channels: Sequence[Channel],
    too_old: datetime,
    claim_seconds: float,
    limit: int = PAGE_LIMIT,
) -> list[Claimed]:
    """What is due at `now` on these `channels`, and whatever was wanted before `too_old`; oldest first.

    Commit before sending. Two workers never get the same one while the claim lasts.
    """
    rows = connection.execute(
        _CLAIM,
        {
            "now": now,
            "channels": list(channels),
            "too_old": too_old,
            "claim_seconds": claim_seconds,
            "limit": limit,
        },
    )
    return sorted((Claimed(*row) for row in rows), key=lambda claimed: (claimed.due_at, claimed.id))


def mark_sent(connection: Connection, notification_id: UUID, now: datetime) -> None:
    """The server took it. Nothing happens to one that is finished already."""
    connection.execute(_MARK_SENT, {"id": notification_id, "now": now})


def supersede(connection: Connection, notification_id: UUID, reason: str, now: datetime) -> None:
    """It is not sent: what it would say is no longer so."""
    connection.execute(_SUPERSEDE, {"id": notification_id, "problem": _short(reason), "now": now})


def withdraw(
    connection: Connection,
    studio_id: UUID,
    booking_id: UUID,
    kinds: Sequence[str],
    reason: str,
    now: datetime,
) -> int:
    """Takes back messages about a visit that will not be, or not then; how many. They are not sent.

    Looks at the booking as it is, so that what is told late or twice takes back nothing that is true.
    """
    asked = {
        "studio_id": studio_id,
        "booking_id": booking_id,
        "kinds": list(kinds),
        "standing": ["confirmed", "completed"],
        "problem": _short(reason),
        "now": now,
    }
    return connection.execute(_WITHDRAW, asked).rowcount


def put_off(
    connection: Connection, notification_id: UUID, due_at: datetime, problem: str | None, *, was_tried: bool
) -> None:
    """Due again at `due_at`. Without `problem` the former one is kept."""
    row = {
        "id": notification_id,
        "due_at": due_at,
        "more_tries": int(was_tried),
        "problem": _short(problem) if problem else None,
    }
    connection.execute(_PUT_OFF, row)


def fail(connection: Connection, claimed: Claimed, code: str, now: datetime, *, was_tried: bool) -> bool:
    """Gives a message up, and puts `notification.failed` into the outbox of the same transaction.

    False when it was finished already: then nothing is told.
    """
    row = {"id": claimed.id, "problem": _short(code), "now": now, "more_tries": int(was_tried)}
    if connection.execute(_FAIL, row).rowcount == 0:
        return False
    event = NotificationFailed(
        studio_id=claimed.studio_id,
        customer_id=claimed.customer_id,
        occurred_at=connection.execute(
            _STUDIO_NOW, {"now": now, "studio_id": claimed.studio_id}
        ).scalar_one(),
        notification_id=claimed.id,
        notification_kind=claimed.kind,
        channel=claimed.channel,
        code=_short(code),
    )
    told = {
        "id": derived_id("notification.failed", claimed.id),
        "studio_id": claimed.studio_id,
        "schema_version": event.schema_version,
        "body": event.model_dump_json(),
        "correlation_id": claimed.correlation_id,
        "causation_id": claimed.id,
    }
    connection.execute(_TELL_OF_FAILED, told)
    return True


def _short(reason: str) -> str:
    return reason[:PROBLEM_LENGTH_LIMIT]
