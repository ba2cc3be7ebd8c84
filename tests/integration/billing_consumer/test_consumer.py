"""The consumer's loop: nothing lost, nothing twice, and nobody pays for another's fault."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from billing_consumer.consumer import CRASHES_LIMIT, TRIES_AT_ONCE
from bus.port import Delivery, Envelope
from bus.rabbit.upkeep import list_dead_letters
from bus.transports import RabbitBus
from kit.ids import new_id
from runtime.postgres import PostgresServer
from state_updater.apply import Received
from state_updater.handlers import HANDLERS
from storage.database import is_momentary
from tests.integration.billing_consumer.sources import Running, Source, delivery_of
from tests.integration.runtime.counted import errors
from tests.integration.state_updater.shops import Shop, process

SETTLE_SECONDS_MAX = 20.0


def until(happened: Callable[[], object], what: str) -> None:
    """Waits a bounded time for something that another thread or process does."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


def states(shop: Shop, *received: Received) -> list[str]:
    found: dict[UUID, str] = dict(
        shop.rows("SELECT command_id, state FROM command_journal WHERE studio_id = :studio")
    )
    return [found[each.command_id] for each in received]


def consume(shop: Shop, *deliveries: Delivery, warm: bool = True) -> Source:
    """Runs a consumer over these until it has acknowledged them all. `warm`: its first group is behind it."""
    source = Source()
    with Running(shop.url, source):
        if warm:
            source.waiting = [delivery_of(shop.accept(shop.issue(new_id())))]
            until(lambda: source.acknowledged, "the first group")
            source.acknowledged.clear()
        source.waiting = list(deliveries)
        until(lambda: len(source.acknowledged) == len(deliveries), "acknowledging")
    assert source.is_closed
    return source


def poison(monkeypatch: pytest.MonkeyPatch, does: Callable[[], object]) -> None:
    """StartPayment fails for itself from now on."""

    def handler(command: object, work: object) -> dict[str, Any]:
        does()
        raise ZeroDivisionError("poisoned")

    monkeypatch.setitem(HANDLERS, "StartPayment", handler)


@pytest.mark.parametrize("warm", [False, True], ids=["first group", "later group"])
def test_only_the_command_that_fails_for_itself_is_parked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    _, invoice_id = shop.subscribe()
    good = [shop.accept(shop.issue(new_id())) for _ in range(4)]
    bad = shop.accept(shop.start(new_id(), invoice_id))
    poison(monkeypatch, lambda: None)
    source = consume(shop, *map(delivery_of, [*good[:2], bad, *good[2:]]), warm=warm)
    assert states(shop, *good, bad) == ["applied"] * 4 + ["parked"]
    problem = shop.one("SELECT problem FROM command_journal WHERE command_id = :id", id=bad.command_id)
    assert problem == {"code": "ZeroDivisionError", "error": "poisoned"}
    assert source.rejected == []


def test_a_row_that_breaks_a_constraint_is_counted_as_our_mistake(shop: Shop) -> None:
    _, invoice_id = shop.subscribe()
    bad, before = shop.accept(shop.start(new_id(), invoice_id)), errors("23")
    poison = f"CONSTRAINT poison CHECK (invoice_id <> '{invoice_id}') NOT VALID"
    with shop.owner.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE payment_attempt ADD {poison}")
    try:
        consume(shop, delivery_of(bad), warm=False)
    finally:
        with shop.owner.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE payment_attempt DROP CONSTRAINT poison")
    assert states(shop, bad) == ["parked"]
    assert errors("23") - before == 1


def test_strangers_are_rejected_before_the_rest_is_acknowledged(shop: Shop) -> None:
    good, other = shop.accept(shop.issue(new_id())), shop.accept(shop.issue(new_id()))
    unknown = replace(delivery_of(good), message_id=new_id())
    nameless = replace(delivery_of(good), message_id=None)
    altered = replace(delivery_of(other), body=b"{}")
    noise = Delivery(None, None, None, b"\xff\x00", "", False, None)
    source = consume(shop, unknown, delivery_of(good), nameless, altered, noise)
    assert source.rejected == [unknown, nameless, altered, noise]
    assert states(shop, good, other) == ["applied", "accepted"]
    consume(shop, delivery_of(other))


def test_a_group_that_comes_again_is_acknowledged_and_changes_nothing(shop: Shop) -> None:
    deliveries = [delivery_of(shop.accept(shop.issue(new_id()))) for _ in range(3)]
    consume(shop, *deliveries)
    before = shop.rows("SELECT id, version FROM invoice WHERE studio_id = :studio ORDER BY id")
    consume(shop, *deliveries, *deliveries, warm=False)
    assert shop.rows("SELECT count(*) FROM invoice WHERE studio_id = :studio") == [(len(before),)]


def test_a_lock_held_too_long_puts_the_command_back_to_the_journal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice_id = shop.subscribe()
    held, free = shop.accept(shop.start(new_id(), invoice_id)), shop.accept(shop.issue(new_id()))
    monkeypatch.setattr("storage.database.LOCK_TIMEOUT_MS", 100)
    before = shop.one("SELECT republish_at FROM command_journal WHERE command_id = :id", id=held.command_id)
    timed_out = errors("55")
    with shop.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT FROM invoice WHERE id = %s FOR UPDATE", (invoice_id,))
        consume(shop, delivery_of(held), delivery_of(free))
        connection.rollback()
    assert states(shop, held, free) == ["accepted", "applied"]
    assert errors("55") - timed_out == 1 + TRIES_AT_ONCE  # with its group, and alone
    ((republish_at, published, problem),) = shop.rows(
        "SELECT republish_at, publish_count, problem FROM command_journal WHERE command_id = :id",
        id=held.command_id,
    )
    assert (republish_at > before, published, problem) == (True, 1, None)
    consume(shop, delivery_of(held))
    assert states(shop, held) == ["applied"]


@pytest.mark.parametrize(
    ("error", "momentary"),
    [
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.SerializationFailure, True),
        (psycopg.errors.LockNotAvailable, True),
        (psycopg.errors.QueryCanceled, True),
        (psycopg.errors.DiskFull, True),
        (psycopg.errors.OutOfMemory, True),
        (psycopg.errors.ReadOnlySqlTransaction, True),
        (psycopg.errors.IoError, True),
        (psycopg.errors.UniqueViolation, False),
        (psycopg.errors.CheckViolation, False),
        (psycopg.errors.InsufficientPrivilege, False),
        (psycopg.OperationalError, False),
    ],
)
def test_what_may_pass_is_never_the_commands_fault(error: type[psycopg.Error], momentary: bool) -> None:
    assert is_momentary(error()) is momentary


@pytest.mark.slow
@pytest.mark.parametrize("warm", [False, True], ids=["first group", "later group"])
def test_postgres_going_down_in_the_middle_loses_nothing_and_doubles_nothing(
    own_shop: Shop, own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    received = [own_shop.accept(own_shop.issue(new_id())) for _ in range(6)]
    _, invoice_id = own_shop.subscribe()
    received.append(own_shop.accept(own_shop.start(new_id(), invoice_id)))
    real, kills = HANDLERS["StartPayment"], [2]
    is_down = threading.Event()

    def killing(command: object, work: Any) -> dict[str, Any]:
        if kills[0]:
            kills[0] -= 1
            own_postgres.kill()
            is_down.set()
        return real(command, work)

    source = Source([delivery_of(own_shop.accept(own_shop.issue(new_id())))] if warm else [])
    with Running(own_shop.url, source):
        until(lambda: len(source.acknowledged) == warm, "the first group")
        monkeypatch.setitem(HANDLERS, "StartPayment", killing)
        source.waiting = [delivery_of(each) for each in received]
        for _ in range(2):
            assert is_down.wait(SETTLE_SECONDS_MAX)
            is_down.clear()
            own_postgres.start()  # by this thread: a server ends with the one that started it
        until(lambda: len(source.acknowledged) == warm + len(received), "resuming")
    own_shop.reconnect()
    assert own_shop.rows("SELECT DISTINCT state, tries <= 1 FROM command_journal") == [("applied", True)]
    assert own_shop.one("SELECT count(*) FROM payment_attempt") == 1
    assert source.rejected == []


def test_a_consumer_that_is_told_to_stop_while_postgres_is_away_stops(
    own_shop: Shop, own_postgres: PostgresServer
) -> None:
    delivery, lost = delivery_of(own_shop.accept(own_shop.issue(new_id()))), errors("08")
    own_postgres.kill()
    try:
        source = Source([delivery])
        with Running(own_shop.url, source):
            until(lambda: source.kept_alive, "holding the group")
        assert errors("08") > lost
        assert source.acknowledged == []
        assert source.is_closed
    finally:
        own_postgres.start()
        own_shop.reconnect()


def start_consumer(shop: Shop, **environment: str) -> Any:
    return process("billing_consumer", shop.url, **environment)


def stop(child: Any) -> int:
    child.send_signal(signal.SIGTERM)
    return int(child.wait(SETTLE_SECONDS_MAX))


@pytest.mark.slow
def test_a_command_that_kills_the_process_is_parked_after_as_many_crashes(own_shop: Shop) -> None:
    killer, good = own_shop.accept(own_shop.issue(new_id())), own_shop.accept(own_shop.issue(new_id()))
    own_shop.rows(
        "UPDATE command_journal SET tries = :tries WHERE command_id = :id",
        tries=CRASHES_LIMIT - 2,
        id=killer.command_id,
    )
    for _ in range(2):
        child = start_consumer(own_shop, CRASH_AT="after_writes:1")
        assert child.wait(SETTLE_SECONDS_MAX) == -signal.SIGKILL
        assert states(own_shop, killer, good) == ["accepted", "accepted"]
    child = start_consumer(own_shop)
    until(lambda: states(own_shop, killer, good) == ["parked", "applied"], "parking the one that kills")
    assert stop(child) == 0
    problem = own_shop.one("SELECT problem FROM command_journal WHERE command_id = :id", id=killer.command_id)
    assert problem == {"code": "crashes_the_process"}


@pytest.mark.slow
def test_a_real_consumer_on_the_embedded_bus_finishes_what_it_has_and_ends(own_shop: Shop) -> None:
    received = [
        own_shop.accept(own_shop.issue(new_id(), customer_id=own_shop.add_customer())) for _ in range(200)
    ]
    child = start_consumer(own_shop, GROUP_LIMIT="20")
    until(lambda: "applied" in states(own_shop, *received), "the first group")
    assert stop(child) == 0
    found = states(own_shop, *received)
    assert set(found) <= {"applied", "accepted"}
    child = start_consumer(own_shop)
    until(lambda: set(states(own_shop, *received)) == {"applied"}, "all applied")
    assert stop(child) == 0
    assert own_shop.one("SELECT count(*) FROM invoice") == 200


@pytest.mark.slow
def test_a_real_consumer_on_rabbitmq_applies_the_good_and_rejects_the_strangers(
    shop: Shop, amqp_url: str
) -> None:
    bus = RabbitBus(amqp_url, "test")
    bus.declare()
    publisher = bus.command_publisher()
    good = [shop.accept(shop.issue(new_id())) for _ in range(5)]

    def envelope(received: Received, **changes: Any) -> Envelope:
        sent = delivery_of(received)
        route = str(received.command.partition)  # type: ignore[union-attr]
        fields = {"message_id": received.command_id, "kind": sent.kind, "body": sent.body} | changes
        return Envelope(route=route, schema_version=1, correlation_id="t", studio_id=shop.studio_id, **fields)

    forged = new_id()
    publisher.publish(
        [
            envelope(good[0], message_id=forged),
            *map(envelope, good),
            envelope(good[1], body=b"{}"),
            envelope(good[2]),
        ]
    )
    publisher.close()
    child = start_consumer(shop, AMQP_URL=amqp_url)
    try:
        until(lambda: set(states(shop, *good)) == {"applied"}, "all applied")
        until(lambda: len(list_dead_letters(amqp_url)) == 2, "dead letters")
    finally:
        assert stop(child) == 0
    dead = {UUID(str(letter.message_id)) for letter in list_dead_letters(amqp_url)}
    assert dead == {forged, good[1].command_id}
    assert shop.one("SELECT count(*) FROM invoice WHERE studio_id = :studio") == 5
