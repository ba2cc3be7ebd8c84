"""The loop of a billing consumer.

A group is applied in one transaction and acknowledged in one stroke after its commit. A crash in between
delivers it again, and the journal says that it is done. When a group fails, its commands are applied one by
one, so that only the one that fails for itself is parked. Postgres or the broker being away is never a
command's fault: the group is held and tried again.
"""

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from uuid import UUID

import psycopg
import structlog

from billing_consumer.journal import JournalDesk
from bus.backoff import reconnect_delay_seconds
from bus.messages import decode_command
from bus.port import Consumer, Delivery
from kit.errors import InvalidMessage
from kit.ids import sha256
from runtime.crash_points import crash_point
from runtime.logging import bind, without_values
from runtime.metrics import (
    ATTEMPT_OUTCOMES,
    COMMAND_AGE_SECONDS,
    COMMANDS_ANSWERED,
    GROUP_SIZE,
    count_database_error,
)
from state_updater.apply import Answer, Applied, Received, apply_group
from storage.database import is_momentary

WAIT_SECONDS = 0.5
# What is momentary is tried again this often at once; then the command goes back to the journal.
TRIES_AT_ONCE = 3
# A command that was being applied alone at this many crashes in a row is parked: it kills the process.
CRASHES_LIMIT = 5
# Commands of a group up to this size get a line each in the log; of a larger one those that were not applied.
TOLD_SINGLY = 10
# A parked command's error text is for a person; this much of it is kept.
ERROR_TEXT_LIMIT = 500

Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]

log = structlog.get_logger(__name__)


class PostgresAway(Exception):
    """The connection is gone: nothing can be said of any command."""


class BillingConsumer:
    """Applies what `source` delivers, with one connection under the updater's role."""

    def __init__(self, source: Consumer, connect: Connect, group_limit: int) -> None:
        self._source = source
        self._connect = connect
        self._group_limit = group_limit
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._is_first_group = True
        self._counted: set[UUID] = set()
        self.is_stopping = False

    def run(self) -> None:
        """Until `is_stopping`; then what is in hand is finished and both connections are closed.

        With Postgres away nothing can be finished: then what is in hand stays unacknowledged.
        """
        while not self.is_stopping:
            deliveries = self._source.receive(self._group_limit, WAIT_SECONDS)
            if deliveries:
                self._take(deliveries)
        self._source.close()
        if self._connection is not None:
            self._connection.close()

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        crash_point("after_receive")
        started = monotonic()
        received = [_decode(each) for each in deliveries]
        strangers = self._apply_until_done([each for each in received if each is not None])
        if strangers is None:
            return
        for delivery, each in zip(deliveries, received, strict=True):
            if each is None or any(each is stranger for stranger in strangers):
                message_id = str(delivery.message_id)
                log.warning("message is not in the journal", kind=delivery.kind, message_id=message_id)
                self._source.reject(delivery, "not_in_journal")
        crash_point("after_commit")
        self._source.acknowledge(deliveries)
        GROUP_SIZE.observe(len(deliveries))
        log.info("group applied", commands=len(deliveries), seconds=round(monotonic() - started, 4))

    def _apply_until_done(self, received: Sequence[Received]) -> list[Received] | None:
        """Returns the strangers. Holds the group while Postgres is away; None if it was to stop meanwhile."""
        failures = 0
        while True:
            try:
                return self._apply(received, singly=self._is_first_group or failures > 0)
            except PostgresAway as away:
                failures += 1
                log.warning("postgres is away", failures=failures, reason=str(away.__cause__)[:200])
                self._wait(reconnect_delay_seconds(failures))
                if self.is_stopping:
                    return None

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while monotonic() < until and not self.is_stopping:
            self._source.keep_alive()
            sleep(min(0.2, max(0.0, until - monotonic())))

    def _apply(self, received: Sequence[Received], *, singly: bool) -> list[Received]:
        if not received:
            return []
        if not singly:
            try:
                applied = apply_group(self._open(), received)
            except Exception as error:
                self._forget_or_raise(error)
                log.warning("group failed, going on one by one", reason=repr(error)[:ERROR_TEXT_LIMIT])
            else:
                self._report(applied)
                return applied.strangers
        strangers = [stranger for each in received for stranger in self._apply_alone(each)]
        self._is_first_group = False
        self._counted.clear()
        return strangers

    def _apply_alone(self, received: Received) -> list[Received]:
        desk = JournalDesk(self._open)
        if self._is_first_group and self._crashes_the_process(desk, received.command_id):
            return self._park(desk, received, {"code": "crashes_the_process"})
        for _ in range(TRIES_AT_ONCE):
            try:
                applied = apply_group(self._open(), [received])
            except psycopg.Error as error:
                self._forget_or_raise(error)
                if not is_momentary(error):
                    return self._park(desk, received, _problem_of(error), error)
            except Exception as error:
                self._forget_or_raise(error)
                return self._park(desk, received, _problem_of(error), error)
            else:
                self._report(applied)
                return applied.strangers
        log.warning("command goes back to the journal", command_id=str(received.command_id))
        self._guarded(lambda: desk.put_back(received.command_id))
        return []

    def _crashes_the_process(self, desk: JournalDesk, command_id: UUID) -> bool:
        """Whether it was begun at too many starts and never answered; Postgres going away does not count."""
        if command_id in self._counted:
            return False
        tries = self._guarded(lambda: desk.count_try(command_id))
        self._counted.add(command_id)
        return tries > CRASHES_LIMIT

    def _park(
        self, desk: JournalDesk, received: Received, problem: dict[str, str], error: Exception | None = None
    ) -> list[Received]:
        log.error("command parked", command_id=str(received.command_id), code=problem["code"], exc_info=error)
        self._guarded(lambda: desk.park(received.command_id, problem))
        kind = type(received.command).__name__
        COMMANDS_ANSWERED.labels(kind=kind, state="parked").inc()
        return []

    def _report(self, applied: Applied) -> None:
        for answer in applied.answers:
            COMMANDS_ANSWERED.labels(kind=answer.kind, state=answer.state).inc()
            if answer.result and "outcome" in answer.result:
                ATTEMPT_OUTCOMES.labels(outcome=answer.result["outcome"]).inc()
            if applied.answered_at is not None:
                COMMAND_AGE_SECONDS.observe((applied.answered_at - answer.row.accepted_at).total_seconds())
            if answer.state != "applied" or len(applied.answers) <= TOLD_SINGLY:
                _tell(answer)

    # -------------------------------------------------------------- the connection

    def _open(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            try:
                self._connection = self._connect()
            except psycopg.OperationalError as error:
                count_database_error(error)
                raise PostgresAway from error
        return self._connection

    def _forget_or_raise(self, error: Exception) -> None:
        """Counts the error and rolls back, so that the connection can be used again.

        Raises PostgresAway if it is gone.
        """
        count_database_error(error)
        connection = self._connection
        if connection is None:
            raise PostgresAway from error
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
        if connection.closed:
            self._connection = None
            raise PostgresAway from error

    def _guarded(self, step: Callable[[], int]) -> int:
        try:
            return step()
        except psycopg.Error as error:
            self._forget_or_raise(error)
            raise PostgresAway from error


def _tell(answer: Answer) -> None:
    row = answer.row
    with bind(correlation_id=row.correlation_id, command_id=row.command_id, studio_id=row.studio_id):
        log.info("command answered", kind=answer.kind, state=answer.state, problem=answer.problem)


def _problem_of(error: Exception) -> dict[str, str]:
    return {
        "code": str(getattr(error, "code", type(error).__name__)),
        "error": without_values(str(error))[:ERROR_TEXT_LIMIT],
    }


def _decode(delivery: Delivery) -> Received | None:
    """None for a message without an id: nothing in the journal can stand for it."""
    if delivery.message_id is None:
        return None
    try:
        command = decode_command(delivery.kind or "", delivery.schema_version or 0, delivery.body)
    except InvalidMessage as error:
        return Received(delivery.message_id, sha256(delivery.body), error)
    return Received(delivery.message_id, sha256(delivery.body), command)
