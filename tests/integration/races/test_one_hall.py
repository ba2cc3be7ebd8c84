"""Sixty-four clients want overlapping times of one hall, while the connections of its consumers are cut."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from structlog.testing import capture_logs

from billing_consumer.consumer import BillingConsumer
from bus.messages import Command, Offer
from kit.ids import new_id
from tests.integration.billing_consumer.sources import delivery_of
from tests.integration.races.line import Cutter, Line, connect_consumer
from tests.integration.state_updater.shops import faults
from tests.integration.state_updater.stages import Stage

pytestmark = pytest.mark.slow

CLIENT_COUNT = 64
TRIES_EACH = 12
# What else is held is let go again, so that the hall does not fill and the race goes on.
KEPT_COUNT = 8
SLOT_COUNT = 200
# Times begin every quarter of an hour and last one to three hours: each overlaps many others.
STEP_HOURS, LENGTHS_HOURS = 0.25, (1.0, 1.5, 2.0, 3.0)
CONSUMER_COUNT = 2
GROUP_LIMIT = 5
CUTS_WANTED = 3
ANSWERED_SECONDS_MAX = 60.0

# Two that stood together, then or now.
_OVERLAPS = """
    SELECT a.id, b.id FROM occupancy a JOIN occupancy b ON b.hall_id = a.hall_id AND b.id > a.id
        AND b.during && a.during AND greatest(a.created_at, b.created_at)
            < least(coalesce(a.released_at, 'infinity'), coalesce(b.released_at, 'infinity'))
    WHERE a.studio_id = :studio
"""
_ANSWERS = """
    SELECT kind, coalesce(problem ->> 'code', state), count(*) FROM command_journal
    WHERE studio_id = :studio GROUP BY 1, 2
"""
# What was in somebody's way stood there when that was said.
_REFUSED_FOR_NOTHING = """
    SELECT j.command_id FROM command_journal j
    CROSS JOIN LATERAL (SELECT convert_from(j.body, 'UTF8')::jsonb -> 'offer' AS offer) wanted
    WHERE j.studio_id = :studio AND j.problem ->> 'code' = 'slot_taken' AND NOT EXISTS (
        SELECT FROM occupancy WHERE hall_id = (offer ->> 'hall_id')::uuid
            AND created_at <= j.answered_at AND coalesce(released_at, 'infinity') >= j.answered_at
            AND during && tstzrange((offer ->> 'starts_at')::timestamptz, (offer ->> 'ends_at')::timestamptz))
"""


@pytest.fixture
def offers(stage: Stage) -> list[Offer]:
    """SLOT_COUNT times of one hall; the limit of holds is out of the way."""
    stage.set_studio(holds_limit=100)
    lengths = [LENGTHS_HOURS[number % len(LENGTHS_HOURS)] for number in range(SLOT_COUNT)]
    return [
        stage.offer_of(STEP_HOURS * number, STEP_HOURS * number + length)
        for number, length in enumerate(lengths)
    ]


def test_of_overlapping_times_each_is_given_once_and_each_try_is_answered(
    stage: Stage, offers: list[Offer]
) -> None:
    with capture_logs() as logged:
        lines = [Line() for _ in range(CONSUMER_COUNT)]
        # All of it waits when they begin, so that neither is ever without work.
        _send_from_all(stage, offers, lines)
        with _consuming(stage.url, lines), Cutter(stage.url) as cutter:
            _wait_for_answers(stage)
    # Whoever runs into the constraint was not kept out by the lock that stands before it.
    failed = [line for line in logged if line["event"].startswith("group failed")]
    assert (stage.rows(_OVERLAPS), failed) == ([], []), "one hall was given twice, or all but given"
    _check_answers(stage)
    assert [line.rejected for line in lines] == [[]] * CONSUMER_COUNT
    said = Counter(line["event"] for line in logged)
    assert said["postgres is away"] >= CUTS_WANTED, (said, cutter.cut_count)
    assert faults(stage.url) == []


def _check_answers(stage: Stage) -> None:
    """Each hold was given or refused for a reason, and each that was given was let go if that was asked."""
    answers = {(kind, said): int(count) for kind, said, count in stage.rows(_ANSWERS)}
    held, taken = answers.pop(("HoldBooking", "applied")), answers.pop(("HoldBooking", "slot_taken"))
    let_go, absent = answers.pop(("CancelBooking", "applied")), answers.pop(("CancelBooking", "not_found"))
    assert answers == {}
    assert held + taken == CLIENT_COUNT * TRIES_EACH
    assert let_go + absent == CLIENT_COUNT * TRIES_EACH - KEPT_COUNT
    assert held - let_go == len(stage.taken())
    assert stage.rows(_REFUSED_FOR_NOTHING) == []


@contextmanager
def _consuming(url: str, lines: Sequence[Line]) -> Iterator[None]:
    consumers = [BillingConsumer(line, partial(connect_consumer, url), GROUP_LIMIT) for line in lines]
    threads = [threading.Thread(target=consumer.run) for consumer in consumers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for consumer in consumers:
            consumer.is_stopping = True
        for thread in threads:
            thread.join()


def _send_from_all(stage: Stage, offers: list[Offer], lines: Sequence[Line]) -> None:
    """All clients at once, over the pool of one process; a customer's commands take one line."""
    start = threading.Barrier(CLIENT_COUNT)
    customers = [stage.add_customer() for _ in range(CLIENT_COUNT)]
    assert stage.api, "it is made before many threads want it"

    def send(number: int) -> None:
        wanted = random.Random(number).sample(offers, TRIES_EACH)
        start.wait()
        for turn, offer in enumerate(wanted):
            booking_id = new_id()
            commands: list[Command] = [stage.hold(booking_id, offer, customer_id=customers[number])]
            if turn > 0 or number >= KEPT_COUNT:
                commands.append(stage.let_go(booking_id, customer_id=customers[number]))
            for command in commands:
                lines[command.partition % len(lines)].put(delivery_of(stage.accept(command)))

    with ThreadPoolExecutor(CLIENT_COUNT) as pool:
        for done in [pool.submit(send, number) for number in range(CLIENT_COUNT)]:
            done.result()


def _wait_for_answers(stage: Stage) -> None:
    deadline = time.monotonic() + ANSWERED_SECONDS_MAX
    while stage.one("SELECT count(*) FROM command_journal WHERE studio_id = :studio AND state = 'accepted'"):
        assert time.monotonic() < deadline, "a command was lost"
        time.sleep(0.05)
