"""Errors of the database are counted by whoever meets them, by an engine or by a connection of their own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from bus.embedded.session import Session
from bus.port import BusAway
from bus.transports import EmbeddedBus
from cron.desk import Desk
from cron.jobs import JOBS
from cron.schedule import Schedule
from cron.timekeeping import Timekeeper
from runtime.settings import CronSettings
from state_updater.relay import Relay
from storage.database import connect_as, create_role_engine
from tests.integration.runtime.counted import errors
from web.waiting import AppliedWaiter

AWAY = "postgresql://me@127.0.0.1:9/none"
SETTLE_SECONDS_MAX = 20.0
connect_nowhere = partial(connect_as, AWAY, "billbus_relay", "test")


@pytest.fixture
def relay_engine(database_url: str) -> Iterator[Engine]:
    engine = create_role_engine(database_url, "billbus_relay", "test")
    yield engine
    engine.dispose()


@contextmanager
def running(loop: Any) -> Iterator[None]:
    """Something with `run` and `is_stopping`, in a thread."""
    thread = Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.is_stopping = True
        thread.join(SETTLE_SECONDS_MAX)
    assert not thread.is_alive()


def until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + SETTLE_SECONDS_MAX
    while not happened():
        assert monotonic() < deadline
        sleep(0.02)


def test_errors_of_an_engine_are_counted_by_their_class_and_errors_of_rows_are_not(
    relay_engine: Engine,
) -> None:
    before = {each: errors(each) for each in ("08", "22", "23", "42", "57")}
    for statement in (
        "SELECT 1 / 0",
        "SELECT * FROM studio",
        "DO $$ BEGIN RAISE unique_violation; END $$",
        "SET statement_timeout = 20; SELECT pg_sleep(2)",
    ):
        with pytest.raises(Exception), relay_engine.begin() as connection:  # noqa: B017, PT011
            connection.execute(text(statement))
    away = create_role_engine(AWAY, "billbus_relay", "test")
    with pytest.raises(OperationalError), away.begin():
        pass
    away.dispose()
    assert {each: errors(each) - count for each, count in before.items()} == {
        "08": 1,
        "22": 0,
        "23": 0,
        "42": 1,
        "57": 1,
    }


def test_a_session_of_the_embedded_bus_counts_what_it_loses_and_what_is_refused(database_url: str) -> None:
    lost, refused = errors("08"), errors("42")
    with pytest.raises(BusAway), Session(connect_nowhere).using():
        pass
    session = Session(partial(connect_as, database_url, "billbus_relay", "test"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), session.using() as connection:
        connection.execute("SELECT * FROM studio")
    session.close()
    assert (errors("08") - lost, errors("42") - refused) == (1, 1)


def test_the_relay_counts_its_listener(database_url: str, relay_engine: Engine) -> None:
    before = errors("08")
    bus: Any = EmbeddedBus(partial(connect_as, database_url, "billbus_relay", "test"))
    tasks: Any = None  # nothing is in the outbox
    with running(Relay(relay_engine, connect_nowhere, bus, tasks, 30.0, 5.0)):
        until(lambda: errors("08") > before)


def test_cron_counts_the_connection_that_holds_the_lock() -> None:
    before = errors("08")
    desk = Desk(CronSettings.model_validate({"database_url": AWAY}))
    schedule = Schedule("* * * * *", "UTC")
    with running(Timekeeper(desk, JOBS["renewal"], schedule, lambda: datetime(2026, 3, 1, tzinfo=UTC))):
        until(lambda: errors("08") > before)
    desk.close()


def test_the_api_counts_the_connection_on_which_it_waits() -> None:
    before = errors("08")

    async def wait() -> None:
        waiter = AppliedWaiter(AWAY, "billbus_api", "test")
        waiter.start()
        await asyncio.to_thread(until, lambda: errors("08") > before)
        await waiter.stop()

    asyncio.run(wait())
