"""One Postgres connection in autocommit that is made again, for ever, after it was lost.

Used by the publishers and consumers of the embedded bus. The caller of the bus says how to connect.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import LiteralString

import psycopg

from bus.backoff import reconnect_delay_seconds
from bus.port import BusAway
from runtime.metrics import count_database_error

Connection = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[], Connection]

logger = logging.getLogger(__name__)


class Session:
    """The connection, its LISTENs, and when to try again. For one thread at a time."""

    def __init__(self, connect: Connect, channel: LiteralString | None = None) -> None:
        self._connect = connect
        self._channel = channel
        self._connection: Connection | None = None
        self._failures = 0
        self._next_try_at = 0.0
        # Changes with every connection: what a lost one held (locks above all) is gone.
        self.generation = 0

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """A connection that works. Raises BusAway when there is none, or it is lost meanwhile."""
        try:
            yield self._connected()
        except psycopg.Error as error:
            count_database_error(error)
            if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise
            self._lose(error)
            raise BusAway(reason=type(error).__name__) from error

    def wait(self, seconds: float) -> None:
        """Until a notification, at most `seconds`; without a connection, until the next try is due."""
        if self._connection is None:
            time.sleep(max(0.0, min(seconds, self._next_try_at - time.monotonic())))
            return
        with self.using() as connection:
            for _ in connection.notifies(timeout=max(0.0, seconds), stop_after=1):
                pass

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is not None:
            return self._connection
        if time.monotonic() < self._next_try_at:
            raise BusAway(reason="no connection")
        connection = self._connect()
        connection.autocommit = True
        self._connection = connection
        self.generation += 1
        if self._channel is not None:
            connection.execute(f"LISTEN {self._channel}")
        self._failures = 0
        return connection

    def _lose(self, error: psycopg.Error) -> None:
        logger.warning("no Postgres (%s), try %d", type(error).__name__, self._failures)
        self.close()
        self._failures += 1
        self._next_try_at = time.monotonic() + reconnect_delay_seconds(self._failures)


def uuids(values: Sequence[object]) -> list[str]:
    """Ids as an array parameter that Postgres casts to uuid[]."""
    return [str(value) for value in values]
