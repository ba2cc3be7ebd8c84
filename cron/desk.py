"""What a job is given: settings, a database role, the bus, and the time that it decides by.

Called by `cron.runner`, which makes a `Run` for each run, and by the jobs, which send through it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import Connection, Engine

from bus.messages import Command
from bus.port import BusAway, Publisher
from bus.transports import choose_bus
from kit.ids import sha256
from runtime.metrics import COMMANDS_ACCEPTED
from runtime.settings import CronSettings
from storage.database import connect_as, create_role_engine
from storage.journal import Accepted, accept

SERVICE = "cron"
ROLE = "billbus_cron"

log = structlog.get_logger(__name__)


class Desk:
    """One per process: its jobs' threads share it."""

    def __init__(self, settings: CronSettings) -> None:
        self.settings = settings
        self._database_url = settings.database_url.get_secret_value()
        self.engine: Engine = create_role_engine(self._database_url, ROLE, SERVICE)
        amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
        self._publisher: Publisher = choose_bus(amqp_url, self.connect, SERVICE).command_publisher()

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its own under the same role."""
        return connect_as(self._database_url, ROLE, SERVICE)

    def close(self) -> None:
        self._publisher.close()
        self.engine.dispose()

    def publish(self, accepted: Sequence[Accepted]) -> None:
        """After the commit. A failure costs time only: the relay publishes what stays in the journal."""
        envelopes = [each.envelope for each in accepted if each.envelope is not None]
        if not envelopes:
            return
        for envelope in envelopes:
            COMMANDS_ACCEPTED.labels(envelope.kind).inc()
        try:
            self._publisher.publish(envelopes)
        except BusAway as away:
            log.warning("commands not published yet", commands=len(envelopes), reason=str(away))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job. `now` is what it decides by; `may_go_on` is asked between pages."""

    desk: Desk
    now: datetime
    may_go_on: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did. `is_whole` is false when it was asked to stop between two pages."""

    count: int
    problem: str | None = None
    is_whole: bool = True


def accept_by_clock(
    connection: Connection, job: str, command: Command, command_id: UUID, correlation_id: str
) -> Accepted:
    """Writes a command of a job into the journal. Idempotent by `command_id`."""
    return accept(
        connection,
        command,
        command_id=command_id,
        request_hash=sha256(command_id.bytes),
        principal=f"cron:{job}",
        correlation_id=correlation_id,
    )
