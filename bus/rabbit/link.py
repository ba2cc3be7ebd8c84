"""One connection to RabbitMQ with one channel, in a thread of its own, rebuilt for ever.

Used by publisher and consumer. The thread serves heartbeats whatever its owner does. Whatever goes wrong with
connection, channel or queue, the answer is the same: throw both away, wait, and build them again.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Protocol

import pika
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosed,
    ConnectionClosed,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from bus.backoff import reconnect_delay_seconds

HEARTBEAT_SECONDS = 15
SOCKET_TIMEOUT_SECONDS = 3.0
STACK_TIMEOUT_SECONDS = 5.0
BLOCKED_TIMEOUT_SECONDS = 10.0
CLOSE_TIMEOUT_SECONDS = 3.0
# A connection that has lived this long was a good one: the next wait starts from the shortest delay again.
STEADY_SECONDS = 5.0

_ANSWER = re.compile(r"""\((\d{3})\) (["'])(.+)\2""")

logger = logging.getLogger(__name__)


class LinkOwner(Protocol):
    """What is done with the channel. All three are called in the link's thread."""

    def prepare(self) -> None:
        """Before each connection is tried."""

    def channel_opened(self, channel: Channel) -> None: ...

    def channel_lost(self, reason: str) -> None: ...


def connection_parameters(amqp_url: str, name: str) -> pika.URLParameters:
    """Every wait bounded. `name` is what the broker's console shows, with our process id."""
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.socket_timeout = SOCKET_TIMEOUT_SECONDS
    parameters.stack_timeout = STACK_TIMEOUT_SECONDS
    parameters.blocked_connection_timeout = BLOCKED_TIMEOUT_SECONDS
    parameters.connection_attempts = 1
    parameters.client_properties = {"connection_name": console_name(name)}
    return parameters


def console_name(name: str) -> str:
    """The name of connections and consumers of this process in the broker's console."""
    return f"{name} {os.getpid()}"


class Link:
    """Keeps the channel of `owner` open from `start` to `close`."""

    def __init__(self, amqp_url: str, name: str, owner: LinkOwner) -> None:
        self._parameters = connection_parameters(amqp_url, name)
        self._name = name
        self._owner = owner
        self._closing = threading.Event()
        self._tried = threading.Event()
        self._lock = threading.Lock()
        self._connection: pika.SelectConnection | None = None
        self._lost_because = ""
        self._thread = threading.Thread(target=self._run, name=f"{name} link", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_until_tried(self, seconds: float) -> None:
        """Until the first connection is up or has failed: after that nobody waits for a connection."""
        self._tried.wait(seconds)

    def submit(self, work: Callable[[], None]) -> bool:
        """Runs `work` in the link's thread soon. False when there is no connection to do it with."""
        with self._lock:
            if self._connection is None:
                return False
            self._connection.ioloop.add_callback_threadsafe(work)
            return True

    def close(self) -> None:
        """Ends connection and thread, after all work submitted before. Idempotent."""
        self._closing.set()
        self.submit(self._close_connection)
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_TIMEOUT_SECONDS)

    def rebuild(self, reason: str) -> None:
        """Throws the connection away; a new one follows. Only from the link's thread."""
        self._lost_because = reason
        self._close_connection()

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began_at = time.monotonic()
            try:
                self._owner.prepare()
                self._serve_one_connection()
            except Exception as error:
                self._lost_because = type(error).__name__
                logger.exception("%s: the connection broke", self._name)
            self._owner.channel_lost(self._lost_because or "closed")
            self._tried.set()
            failures = 0 if time.monotonic() - began_at > STEADY_SECONDS else failures + 1
            if not self._closing.is_set():
                logger.warning("%s: no RabbitMQ (%s), try %d", self._name, self._lost_because, failures)
                self._closing.wait(reconnect_delay_seconds(failures))

    def _serve_one_connection(self) -> None:
        self._lost_because = ""
        connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._connection_opened,
            on_open_error_callback=self._connection_ended,
            on_close_callback=self._connection_ended,
        )
        with self._lock:
            self._connection = connection
        try:
            if self._closing.is_set():  # set before there was a connection to close
                connection.ioloop.add_callback_threadsafe(self._close_connection)
            connection.ioloop.start()
        finally:
            with self._lock:
                self._connection = None
            connection.ioloop.close()

    def _connection_opened(self, connection: pika.SelectConnection) -> None:
        if self._closing.is_set():
            connection.close()
        else:
            connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._channel_closed)
        self._owner.channel_opened(channel)
        self._tried.set()

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        if channel.connection.is_open:
            self.rebuild(_describe(reason))

    def _connection_ended(self, connection: pika.SelectConnection, reason: Exception) -> None:
        self._lost_because = self._lost_because or _describe(reason)
        connection.ioloop.stop()

    def _close_connection(self) -> None:
        """One that is still opening is closed when it has opened; a stuck broker answers neither."""
        connection = self._connection
        if connection is None:
            return
        if connection.is_open:
            connection.close()
        connection.ioloop.call_later(CLOSE_TIMEOUT_SECONDS, connection.ioloop.stop)


def _describe(reason: BaseException) -> str:
    """What the broker said, or the kind of error; never the URL."""
    if isinstance(reason, ChannelClosed | ConnectionClosed):
        return f"{reason.reply_code} {reason.reply_text}"
    if isinstance(reason, ProbableAuthenticationError | ProbableAccessDeniedError):
        # Here pika keeps the broker's answer as text alone.
        answer = _ANSWER.search(str(reason.args[0]))
        if answer is not None:
            return f"{answer[1]} {answer[3]}"
    if isinstance(reason, AMQPConnectionError) and reason.args:
        return f"{type(reason).__name__}: {type(reason.args[0]).__name__}"
    return type(reason).__name__
