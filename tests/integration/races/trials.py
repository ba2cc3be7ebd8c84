"""Trials of one race: a hold whose deadline has come while its page is open, and money that comes now.

Called by the tests of this folder. A trial has a time and a customer of its own, so trials are set up in
large groups, and judged by what each has left behind.
"""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from bus.messages import Command, Offer
from kit.ids import new_id
from state_updater.apply import Received, apply_group
from storage.database import connect_as
from tests.integration.state_updater.shops import said
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

GROUP_SIZE = 250
# About as long as a command takes: with less the first to be sent is always the first to be applied.
DELAY_SECONDS_MAX = 0.006
WAIT_SECONDS = 30.0
# By this length, one after another, times never touch.
TRIAL_HOURS = 2

_ENDING = """
    SELECT b.state,
        array(SELECT i.state::text FROM invoice i WHERE i.booking_id = b.id ORDER BY i.state),
        array(SELECT o.kind::text FROM occupancy o WHERE o.booking_id = b.id AND o.released_at IS NULL),
        p.invoice_id IS NOT NULL, p.unapplied_reason,
        array(SELECT r.state || ' ' || r.amount_minor FROM refund r WHERE r.provider_payment_id = p.id)
    FROM booking b LEFT JOIN provider_payment p ON p.attempt_id = :attempt
    WHERE b.id = :booking
"""


class Ending(NamedTuple):
    """What is left of a trial: states and kinds of its rows, and the answers to its commands."""

    booking: str
    invoices: tuple[str, ...]
    live_occupancies: tuple[str, ...]
    is_matched: bool
    unapplied_reason: str | None
    refunds: tuple[str, ...]
    payment_was: str
    expiry_was: str
    # None where nobody else wanted the time.
    rival_was: str | None


@dataclass
class Trial:
    """One hold with an open page, and the commands that meet."""

    offer: Offer
    customer_id: UUID
    has_rival: bool
    booking_id: UUID = field(default_factory=new_id)
    invoice_id: UUID = field(default_factory=new_id)
    attempt_id: UUID = field(default_factory=new_id)
    meeting: list[Received | None] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)

    def ending(self, stage: Stage) -> Ending:
        (row,) = stage.rows(_ENDING, attempt=self.attempt_id, booking=self.booking_id)
        state, invoices, occupancies, is_matched, reason, refunds = row
        payment, expiry, rival = self.answers
        return Ending(
            state, tuple(invoices), tuple(occupancies), is_matched, reason, tuple(refunds),
            str(payment), str(expiry), rival,
        )  # fmt: skip


def set_up(stage: Stage, count: int, rival_share: float, chance: random.Random) -> list[Trial]:
    """Trials one after another in the stage's hall, whose deadlines have all come by the studio's clock."""
    trials = [
        Trial(stage.offer_of(TRIAL_HOURS * number), stage.add_customer(), chance.random() < rival_share)
        for number in range(count)
    ]
    for start in range(0, count, GROUP_SIZE):
        group = trials[start : start + GROUP_SIZE]
        for command_of in (_hold, _check_out, _start):
            _apply(stage, [command_of(stage, trial) for trial in group])
    last = stage.one("SELECT max(hold_expires_at) FROM booking WHERE studio_id = :studio")
    stage.set_clock(last + timedelta(seconds=1))
    _accept_what_meets(stage, trials)
    return trials


def _hold(stage: Stage, trial: Trial) -> Command:
    return stage.hold(trial.booking_id, trial.offer, customer_id=trial.customer_id)


def _check_out(stage: Stage, trial: Trial) -> Command:
    return stage.check_out(trial.booking_id, trial.invoice_id, customer_id=trial.customer_id)


def _start(stage: Stage, trial: Trial) -> Command:
    """A page to pay at."""
    return stage.start(trial.attempt_id, trial.invoice_id, customer_id=trial.customer_id)


def _apply(stage: Stage, commands: Sequence[Command]) -> None:
    assert {said(answer) for answer in stage.apply(stage.accept_all(commands))} == {"applied"}


def _accept_what_meets(stage: Stage, trials: Sequence[Trial]) -> None:
    """Money, the deadline, and in some the rival, who is staff: those hold as often as they want."""
    rival_id = stage.add_customer()
    for trial in trials:
        of_customer = {"customer_id": trial.customer_id}
        commands: list[Command] = [
            stage.paid_for(trial.attempt_id, trial.invoice_id, **of_customer),
            stage.expire_hold(trial.booking_id, **of_customer),
        ]
        if trial.has_rival:
            commands.append(stage.hold(new_id(), trial.offer, customer_id=rival_id, origin="staff"))
        trial.meeting = [*stage.accept_all(commands), None][:3]


def play(stage: Stage, trials: Sequence[Trial], chance: random.Random) -> None:
    """Each trial by three consumers at once, released together, each after a delay of its own."""
    consumers = [connect_as(stage.url, "billbus_updater", "race") for _ in range(3)]
    try:
        with ThreadPoolExecutor(len(consumers)) as pool:
            for trial in trials:
                barrier = threading.Barrier(len(consumers))
                running = [
                    pool.submit(_consume, consumer, received, barrier, chance.uniform(0, DELAY_SECONDS_MAX))
                    for consumer, received in zip(consumers, trial.meeting, strict=True)
                ]
                trial.answers = [_result(each) for each in running]
    finally:
        for consumer in consumers:
            consumer.close()


def _result(running: "Future[str | None]") -> str | None:
    return running.result(WAIT_SECONDS)


def _consume(
    connection: psycopg.Connection[Any],
    received: Received | None,
    barrier: threading.Barrier,
    delay_seconds: float,
) -> str | None:
    barrier.wait(WAIT_SECONDS)
    if received is None:
        return None
    time.sleep(delay_seconds)
    (answer,) = apply_group(connection, [received]).answers
    return said(answer)


KEPT = "paid in time"
GIVEN_AGAIN = "lost, paid, given again"
LOST = "lost, taken by another, paid back"
_KEPT = Ending("confirmed", ("paid",), ("booking",), True, None, (), "applied", "transition_refused", None)
_GIVEN_AGAIN = Ending(
    "confirmed", ("expired", "paid"), ("booking",), True, None, (), "applied", "applied", None
)
_LOST = Ending(
    "expired", ("expired",), (), False, "invoice_expired", (f"sent {TOTAL_MINOR}",), "applied", "applied",
    "applied",
)  # fmt: skip
ENDINGS = {
    _KEPT: KEPT,
    _KEPT._replace(rival_was="slot_taken"): KEPT,
    _GIVEN_AGAIN: GIVEN_AGAIN,
    _GIVEN_AGAIN._replace(rival_was="slot_taken"): GIVEN_AGAIN,
    _LOST: LOST,
}
