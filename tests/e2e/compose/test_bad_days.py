"""Bad days of the stack of docker-compose.yml: what is away comes back, and nothing of ours is restarted."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.e2e.compose.town import Town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ACTIVE = "The subscription begins"
QUIET_SECONDS = 3.0
CUSTOMERS_MAX = 20


@pytest.fixture(autouse=True)
def nothing_has_ended(town: Town) -> Iterator[None]:
    yield
    assert town.stack.ended() == [], town.stack.complaints()


def test_broker_dies_and_comes_back_and_the_story_goes_on(town: Town) -> None:
    with town.visit() as visit:
        visit.play("Subscribes")
        town.stack.rabbit().kill()
        town.stack.rabbit().start()
        visit.play(ACTIVE)


def test_database_is_restarted_and_the_story_goes_on(town: Town) -> None:
    with town.visit() as visit:
        visit.play("Subscribes")
        town.stack.postgres().stop()
        town.stack.postgres().start()
        visit.play(ACTIVE)


def test_letters_wait_for_the_mail_server_and_come_once(town: Town) -> None:
    with town.visit() as visit:
        town.tell_mailbox({"kind": "down", "times": 1_000})
        visit.play(ACTIVE)
        time.sleep(QUIET_SECONDS)
        assert town.letters(visit.email) == []
        town.tell_mailbox()
        # The minute after which it is tried again.
        town.rows("UPDATE notification SET due_at = now() WHERE state = 'planned' AND tries > 0")
        town.wait_for(lambda: town.letters(visit.email), lambda seen: len(seen) >= 2, "both letters")
        time.sleep(QUIET_SECONDS)
        message_ids = [one["message_id"] for one in town.letters(visit.email)]
        assert len(message_ids) == len(set(message_ids))


def test_one_of_two_consumers_is_killed_and_the_other_does_its_work(town: Town) -> None:
    killed = town.stack.child("billing_consumer")
    assert killed.process_id is not None
    os.kill(killed.process_id, signal.SIGKILL)
    [[killed_at]] = town.rows("SELECT clock_timestamp()")
    try:
        assert killed.wait(QUIET_SECONDS) == -signal.SIGKILL
        # Which partition a customer's commands lie in is chance; the dead one owned those with even numbers.
        for _ in range(CUSTOMERS_MAX):
            with town.visit() as visit:
                visit.play("Subscribes")
            if town.rows(
                "SELECT 1 FROM command_journal WHERE partition %% 2 = 0 AND state = 'applied'"
                " AND accepted_at > %s LIMIT 1",
                killed_at,
            ):
                break
        else:
            pytest.fail("no command was in a partition of the one that was killed")
    finally:
        killed.start()
