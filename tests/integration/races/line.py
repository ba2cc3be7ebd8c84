"""Commands on their way from many clients to a few consumers, and somebody who cuts the connections of those.

Called by the tests of this folder.
"""

import random
import threading
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Self

import psycopg

from bus.port import Delivery
from storage.database import connect_as

WAIT_SECONDS = 0.02
CONSUMER_NAME = "racing consumer"
CUT_EVERY_SECONDS = (0.1, 0.3)

# One that is in the middle of a transaction, whatever it does there.
_CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s AND state <> 'idle'
        AND xact_start IS NOT NULL
    ORDER BY random() LIMIT 1
"""


class Line:
    """Satisfies `bus.port.Consumer`. Many threads may put deliveries in; what is rejected is kept."""

    def __init__(self) -> None:
        self._waiting: list[Delivery] = []
        self._arrived = threading.Condition()
        self.rejected: list[Delivery] = []

    def put(self, delivery: Delivery) -> None:
        with self._arrived:
            self._waiting.append(delivery)
            self._arrived.notify()

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting, min(wait_seconds, WAIT_SECONDS))
            taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Who holds a group holds it until it is applied; nothing comes twice here."""

    def reject(self, delivery: Delivery, reason: str) -> None:
        self.rejected.append(delivery)

    def keep_alive(self) -> None: ...

    def close(self) -> None: ...


class Cutter:
    """Cuts a consumer's connection in mid-transaction, again and again for the length of the block."""

    def __init__(self, url: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=partial(self._run, url))
        self.cut_count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as owner:
            while not self._stopping.wait(random.uniform(*CUT_EVERY_SECONDS)):
                self.cut_count += len(owner.execute(_CUT, [CONSUMER_NAME]).fetchall())


def connect_consumer(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """As a consumer does, under the name that `Cutter` looks for."""
    return connect_as(url, "billbus_updater", CONSUMER_NAME)
