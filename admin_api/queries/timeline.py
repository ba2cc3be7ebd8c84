"""What happened to some things, in order: commands and their answers, steps, calls to providers, callbacks.

Called for the page of one thing. Everything is found from the things' ids by indexes: their steps, the
commands that staff and customers gave about them, the calls about them and what those told, and from the
commands the callbacks they came from and the steps of other things that they made.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from admin_api.queries.ids import find_uuid
from admin_api.queries.names import Who, who_of
from kit.ids import derived_id
from web.views import View

EVENTS_LIMIT: Final = 500
COMMANDS_LIMIT: Final = 500
CALLS_LIMIT: Final = 300

Kind = Literal["command", "callback", "call", "event", "answer"]


class Moment(View):
    """One thing that happened.

    `what`: a command's name, a step's trigger, or the kind of a call or callback. `subject` is what it is
    about: a machine and an id. `outcome`: what became of a command, or how a call ended; `code` says why.
    """

    at: datetime
    kind: Kind
    who: Who | None = None
    what: str
    machine: str | None = None
    subject_id: UUID | None = None
    from_state: str | None = None
    to_state: str | None = None
    outcome: str | None = None
    code: str | None = None
    command_id: UUID | None = None
    correlation_id: str | None = None


class Step(View):
    """One step of a machine."""

    at: datetime
    trigger: str
    from_state: str
    to_state: str
    version: int
    command_id: UUID
    correlation_id: str


class ProviderCallView(View):
    """One call to a provider. Without an outcome it is on its way, or its worker is gone."""

    id: UUID
    attempt_id: UUID | None
    refund_id: UUID | None
    kind: str
    call_number: int
    outcome: str | None
    started_at: datetime
    finished_at: datetime | None
    next_at: datetime | None


AnyRow = Row[*tuple[object, ...]]

_EVENT_COLUMNS: Final = """
    SELECT occurred_at, machine, aggregate_id, version, trigger, from_state, to_state, command_id,
        correlation_id
    FROM state_event
"""
_PATH = text(f"{_EVENT_COLUMNS} WHERE aggregate_id = :id ORDER BY version DESC LIMIT {EVENTS_LIMIT}")
_EVENTS = text(f"""
    {_EVENT_COLUMNS} WHERE aggregate_id = ANY(:subjects) ORDER BY occurred_at DESC LIMIT {EVENTS_LIMIT}
""")
_EVENTS_BY = text(f"""
    {_EVENT_COLUMNS} WHERE command_id = ANY(:commands) AND aggregate_id <> ALL(:subjects)
    ORDER BY occurred_at DESC LIMIT {EVENTS_LIMIT}
""")
_AUDITED = text(f"""
    SELECT facts ->> 'command_id' AS command_id FROM audit
    WHERE subject_id = ANY(:subjects) AND facts ? 'command_id'
    ORDER BY occurred_at DESC LIMIT {COMMANDS_LIMIT}
""")  # noqa: S608
_CALLS = text(f"""
    SELECT id, attempt_id, refund_id, kind, call_number, outcome, started_at, finished_at, next_at
    FROM provider_call WHERE attempt_id = ANY(:subjects) OR refund_id = ANY(:subjects)
    ORDER BY started_at DESC LIMIT {CALLS_LIMIT}
""")  # noqa: S608
_COMMANDS = text(f"""
    SELECT command_id, kind, state, accepted_at, answered_at, principal, correlation_id, causation_id,
        problem ->> 'code' AS code
    FROM command_journal WHERE command_id = ANY(:commands) ORDER BY sequence DESC LIMIT {COMMANDS_LIMIT}
""")  # noqa: S608
_CALLBACKS = text(f"""
    SELECT kind, received_at, command_id, set_aside FROM callback_inbox
    WHERE id = ANY(:causes) LIMIT {COMMANDS_LIMIT}
""")  # noqa: S608
# What happened at one instant is told in the order of its causes.
_RANK: Final[dict[Kind, int]] = {"callback": 0, "command": 1, "event": 2, "answer": 3, "call": 4}


def path_of(connection: Connection, aggregate_id: UUID) -> list[Step]:
    """The steps of one thing, the first first; the last EVENTS_LIMIT of them."""
    rows = connection.execute(_PATH, {"id": aggregate_id}).all()
    return [
        Step(
            at=row.occurred_at,
            trigger=row.trigger,
            from_state=row.from_state,
            to_state=row.to_state,
            version=row.version,
            command_id=row.command_id,
            correlation_id=row.correlation_id,
        )
        for row in reversed(rows)
    ]


def calls_about(connection: Connection, subjects: Iterable[UUID]) -> list[ProviderCallView]:
    """Calls about these attempts and refunds, the first first."""
    rows = connection.execute(_CALLS, {"subjects": list(subjects)}).mappings().all()
    return [ProviderCallView.model_validate(dict(row)) for row in reversed(rows)]


def timeline_of(
    connection: Connection,
    subjects: Sequence[UUID],
    *,
    calls: Sequence[ProviderCallView] = (),
    command_ids: Iterable[UUID] = (),
) -> list[Moment]:
    """Everything known about `subjects`, their `calls` included, the first first.

    `command_ids`: further commands that belong to the story, such as those that moved money in the books.
    """
    about = {"subjects": list(subjects)}
    events = connection.execute(_EVENTS, about).all()
    audited = (find_uuid(found) for found in connection.scalars(_AUDITED, about))
    told = (derived_id("task", call.id, outcome) for call in calls for outcome in {call.outcome, "unknown"})
    wanted = {*(row.command_id for row in events), *(each for each in audited if each), *told, *command_ids}
    commands = _read(connection, _COMMANDS, commands=list(wanted))
    others = _read(connection, _EVENTS_BY, commands=[row.command_id for row in commands], **about)
    callbacks = _read(
        connection, _CALLBACKS, causes=[row.causation_id for row in commands if row.causation_id]
    )
    people = who_of(connection, {row.principal for row in commands})
    moments = [
        *(_given(row, people[row.principal]) for row in commands),
        *(_answered(row) for row in commands if row.answered_at is not None),
        # Of one instant the first step first: sorting by time keeps this order.
        *(_happened(row) for row in sorted((*events, *others), key=lambda row: row.version)),
        *(_called(call) for call in calls),
        *(_heard(row) for row in callbacks),
    ]
    return sorted(moments, key=lambda moment: (moment.at, _RANK[moment.kind]))


def _read(connection: Connection, statement: TextClause, **parameters: object) -> Sequence[AnyRow]:
    return connection.execute(statement, parameters).all()


def _given(row: AnyRow, who: Who) -> Moment:
    return Moment(
        at=row.accepted_at,
        kind="command",
        who=who,
        what=row.kind,
        command_id=row.command_id,
        correlation_id=row.correlation_id,
    )


def _answered(row: AnyRow) -> Moment:
    return Moment(
        at=row.answered_at,
        kind="answer",
        what=row.kind,
        outcome=row.state,
        code=row.code,
        command_id=row.command_id,
        correlation_id=row.correlation_id,
    )


def _happened(row: AnyRow) -> Moment:
    return Moment(
        at=row.occurred_at,
        kind="event",
        what=row.trigger,
        machine=row.machine,
        subject_id=row.aggregate_id,
        from_state=row.from_state,
        to_state=row.to_state,
        command_id=row.command_id,
        correlation_id=row.correlation_id,
    )


def _called(call: ProviderCallView) -> Moment:
    return Moment(
        at=call.started_at,
        kind="call",
        what=call.kind,
        machine="payment" if call.attempt_id else "refund",
        subject_id=call.attempt_id or call.refund_id,
        outcome=call.outcome,
    )


def _heard(row: AnyRow) -> Moment:
    return Moment(
        at=row.received_at, kind="callback", what=row.kind, code=row.set_aside, command_id=row.command_id
    )
