"""Applying a group of commands in one transaction: lock, decide, write, answer.

Called by the consumer with the deliveries of one group. The journal row of a command is its inbox: who is not
`accepted` any more has been applied, and is dropped here. Either the whole group is applied or nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from bus.messages import Command
from kit.errors import InvalidMessage, Refused
from runtime.crash_points import crash_point
from state_updater.appended import (
    INSERT_ACCOUNTS,
    INSERT_EVENTS,
    INSERT_LINES,
    INSERT_OUTBOX,
    INSERT_TRANSFERS,
)
from state_updater.handlers import handle
from state_updater.loading import JournalRow, lock_and_load, lock_journal
from state_updater.reading import Connection
from state_updater.work import Batch, Work
from state_updater.writing import Values, check_counts, execute_rows

# A bare notification: it takes a database-wide lock at commit, so there is one per group, without a payload.
NOTIFY_APPLIED = "NOTIFY billbus_applied"

ANSWER_JOURNAL = """
    UPDATE command_journal j
    SET state = u.state, answered_at = u.answered_at, result = u.result::jsonb, problem = u.problem::jsonb
    FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::text[], %b::text[])
        AS u (command_id, state, answered_at, result, problem)
    WHERE j.command_id = u.command_id AND j.state = 'accepted'
"""
TAKE_NUMBERS = """
    INSERT INTO invoice_counter AS c (studio_id, year, last_number)
    SELECT studio_id, year, wanted FROM unnest(%b::uuid[], %b::smallint[], %b::integer[])
        AS u (studio_id, year, wanted)
    ON CONFLICT (studio_id, year) DO UPDATE SET last_number = c.last_number + excluded.last_number
    RETURNING studio_id, year, last_number
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A command as it came off the bus, decoded, or the error that kept it from being decoded."""

    command_id: UUID
    body_hash: bytes
    command: Command | InvalidMessage

    def is_what_was_accepted(self, row: JournalRow) -> bool:
        """Name, version and body are those of the journal; the same body under another name is a stranger."""
        name: object = type(self.command).__name__
        version: object = 0
        if isinstance(self.command, InvalidMessage):
            name, version = self.command.facts.get("kind"), self.command.facts.get("schema_version")
        else:
            version = self.command.schema_version
        return (name, version, self.body_hash) == (row.kind, row.schema_version, row.body_hash)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the journal says of a command from now on. `problem` is {"code": ..., **facts}."""

    row: JournalRow
    kind: str
    state: str
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a group: answers given now, and messages that the journal does not know as they are.

    `answered_at` is the database's time of the answers; None if there are none.
    """

    answers: list[Answer]
    strangers: list[Received]
    answered_at: datetime | None


def apply_group(connection: Connection, group: Sequence[Received]) -> Applied:
    """Applies every command of `group` that is still accepted, in order, and commits.

    Idempotent by command id. Raises psycopg's errors and InvariantViolated with nothing applied: the caller
    rolls back and goes on one by one.
    """
    readable = [each.command for each in group if not isinstance(each.command, InvalidMessage)]
    journal = lock_journal(connection, list({each.command_id for each in group}), readable)
    unreadable: dict[UUID, Answer] = {}
    todo: dict[UUID, tuple[Command, JournalRow]] = {}
    strangers: list[Received] = []
    for each in group:
        row = journal.rows.get(each.command_id)
        if row is None or not each.is_what_was_accepted(row):
            strangers.append(each)
        elif row.state != "accepted":
            continue
        elif isinstance(each.command, InvalidMessage):
            unreadable[each.command_id] = _parked(row, "unreadable", each.command)
        else:
            todo[each.command_id] = (each.command, row)
    answers = list(unreadable.values())
    crash_point("inside_transaction")
    answered_at = None
    if todo or answers:
        answered_at = _decide_and_write(connection, todo, answers, journal.booking_ids)
    connection.commit()
    return Applied(answers, strangers, answered_at)


def _parked(row: JournalRow, kind: str, error: InvalidMessage) -> Answer:
    problem = {"code": error.code, **error.facts}
    return Answer(row, kind, "parked", problem=problem)


def _decide_and_write(
    connection: Connection,
    todo: dict[UUID, tuple[Command, JournalRow]],
    answers: list[Answer],
    booking_ids: Sequence[UUID],
) -> datetime:
    loaded = lock_and_load(connection, [command for command, _ in todo.values()], booking_ids)
    batch = Batch(loaded)
    for command_id, (command, row) in todo.items():
        answers.append(_decide(batch, command, command_id, row))
    _number_invoices(connection, batch)
    _write(connection, batch, answers)
    return loaded.now


def _decide(batch: Batch, command: Command, command_id: UUID, row: JournalRow) -> Answer:
    """One command's answer; its changes are in the batch."""
    kind = type(command).__name__
    if command.studio_id != row.studio_id:
        return _parked(row, kind, InvalidMessage("studio_differs_from_journal"))
    work = Work(batch, command, command_id, row.correlation_id)
    try:
        result = handle(command, work)
    except InvalidMessage as no:
        return _parked(row, kind, no)
    except Refused as no:
        problem = {"code": no.code, **no.facts}
        return Answer(row, kind, "refused", problem=problem)
    return Answer(row, kind, "applied", result=result)


def _number_invoices(connection: Connection, batch: Batch) -> None:
    """Gapless numbers per studio and year, taken last so that the counter is locked for the shortest time."""
    wanted: dict[tuple[UUID, int], list[Values]] = {}
    for studio_id, year, values in batch.unnumbered:
        wanted.setdefault((studio_id, year), []).append(values)
    if not wanted:
        return
    rows = [(studio_id, year, len(wanted[studio_id, year])) for studio_id, year in sorted(wanted)]
    for studio_id, year, last_number in execute_rows(connection, TAKE_NUMBERS, rows):
        waiting = wanted[studio_id, year]
        for number, values in enumerate(waiting, start=last_number - len(waiting) + 1):
            values[-2] = f"{year}-{number:06d}"


def _write(connection: Connection, batch: Batch, answers: Sequence[Answer]) -> None:
    """Every row of the batch in one pipeline, then the counts: nothing may have been missed."""
    now = batch.loaded.now
    journal = [
        (
            answer.row.command_id,
            answer.state,
            now,
            orjson.dumps(answer.result).decode() if answer.result is not None else None,
            orjson.dumps(answer.problem, default=str).decode() if answer.problem is not None else None,
        )
        for answer in answers
    ]
    appended: list[tuple[str, Sequence[Sequence[Any]]]] = [
        (INSERT_LINES, batch.lines),
        (INSERT_EVENTS, batch.events),
        (INSERT_TRANSFERS, batch.transfers),
        (INSERT_OUTBOX, batch.outbox),
        (ANSWER_JOURNAL, journal),
    ]
    with connection.pipeline():
        if batch.other_currency_accounts:
            execute_rows(connection, INSERT_ACCOUNTS, sorted(batch.other_currency_accounts))
        sent = batch.waves.send(connection)
        for statement, rows in appended:
            if rows:
                sent.append((execute_rows(connection, statement, rows), len(rows), statement))
        connection.execute(NOTIFY_APPLIED)
    check_counts(sent)
    crash_point("after_writes")
