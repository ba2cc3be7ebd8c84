"""The way out for accepted commands: published after their commit, by whoever accepted them.

Called by every process that sends: both APIs, the worker, cron.
"""

import threading
from time import monotonic
from typing import Final

import structlog

from bus.port import BusAway, Envelope, Publisher
from runtime.crash_points import crash_point
from runtime.metrics import COMMANDS_ACCEPTED

BUS_PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Outlet:
    """Publishes accepted commands after their commit. Never fails: what is not taken, the relay sends.

    After a failure nobody tries for BUS_PAUSE_SECONDS: with the broker away every request would otherwise
    hold a thread until the publisher's deadline.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._paused_until = 0.0

    @property
    def is_away(self) -> bool:
        return monotonic() < self._paused_until

    def publish(self, *envelopes: Envelope | None) -> None:
        """None: that command was in the journal before."""
        new = [envelope for envelope in envelopes if envelope is not None]
        for envelope in new:
            COMMANDS_ACCEPTED.labels(envelope.kind).inc()
        if not new or self.is_away:
            return
        crash_point("before_publish")
        try:
            self._publisher.publish(new)
        except BusAway as away:
            with self._lock:
                self._paused_until = monotonic() + BUS_PAUSE_SECONDS
            first = {"command.id": str(new[0].message_id)}
            log.warning("the bus is away; the relay will send", commands=len(new), reason=str(away), **first)
        crash_point("after_confirm")

    def close(self) -> None:
        self._publisher.close()
