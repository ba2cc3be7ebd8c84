"""`python -m integrations`: who listens to events, each in a thread, until SIGTERM or SIGINT.

The log of events, the planning of messages and, with ELASTICSEARCH_URL, the search index. Two of this process
may run. A thread that ends unasked ends the process with 1, so that its supervisor starts all of it again.
"""

import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from queue import SimpleQueue
from typing import Protocol

import structlog
from sqlalchemy import Engine

from bus.port import BusRefused
from bus.transports import choose_bus
from integrations.event_log import log_events
from integrations.listening import Handle, Listener
from integrations.planning import plan_messages
from integrations.search_index import Indexer
from kit.clock import system_clock
from runtime.error_reporting import begin_logging
from runtime.metrics import SEARCH_INDEX_ON, serve_metrics
from runtime.settings import EventSettings, load_settings
from storage.database import connect_as, create_role_engine

SERVICE = "events"
ROLE = "billbus_events"
# What is in hand is finished meanwhile; who has not ended by then comes to no harm when the process ends.
STOP_SECONDS = 10.0
HANDLERS: Mapping[str, Handle] = {"integrations": log_events, "notifications": plan_messages}

log = structlog.get_logger(__name__)


class Room(Protocol):
    """What runs in a thread until it is to stop."""

    is_stopping: bool

    def run(self) -> None: ...


def main() -> None:
    settings = load_settings(EventSettings)
    begin_logging(SERVICE, settings)
    serve_metrics(settings.metrics_port, settings.metrics_host)
    engine = create_role_engine(settings.database_url.get_secret_value(), ROLE, SERVICE)
    raise SystemExit(run(rooms_of(settings, engine)))


def rooms_of(settings: EventSettings, engine: Engine) -> dict[str, Room]:
    """By name."""
    database_url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    bus = choose_bus(amqp_url, partial(connect_as, database_url, ROLE, SERVICE), SERVICE)
    rooms: dict[str, Room] = {
        consumer: Listener(consumer, bus.event_consumer(consumer), engine, handle)
        for consumer, handle in HANDLERS.items()
    }
    if settings.elasticsearch_url is not None:
        SEARCH_INDEX_ON.set(1)
        rooms["search_index"] = Indexer(engine, settings, system_clock)
    return rooms


def run(rooms: Mapping[str, Room]) -> int:
    """All of `rooms` until a signal. Returns the exit code: 1 if one of them ended by itself."""
    ended: SimpleQueue[str] = SimpleQueue()
    threads = [_start(name, room, ended) for name, room in rooms.items()]
    asked_to_stop = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        asked_to_stop.set()
        for room in rooms.values():
            room.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    first = ended.get()
    exit_code = 0 if asked_to_stop.is_set() else 1
    if exit_code:
        log.critical("a thread has ended unasked", thread=first)
    for room in rooms.values():
        room.is_stopping = True
    for thread in threads:
        thread.join(STOP_SECONDS)
    return exit_code


def _start(name: str, room: Room, ended: "SimpleQueue[str]") -> threading.Thread:
    def work() -> None:
        try:
            room.run()
        except BusRefused as refused:
            sys.stderr.write(f"billbus: {refused}\n")
        except Exception:
            log.critical("a thread died", thread=name, exc_info=True)
        finally:
            ended.put(name)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    main()
