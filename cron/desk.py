"""What a job is given: settings, a database role, the bus, and the time that it decides by.

Called by `cron.runner`, which makes a `Run` for each run, and by the jobs, which send through it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine

from bus.messages import Command
from bus.outlet import Outlet
from bus.transports import choose_bus
from kit.ids import sha256
from runtime.settings import CronSettings
from storage.database import connect_as, create_role_engine
from storage.journal import Accepted, accept

SERVICE = "cron"
ROLE = "billbus_cron"


class Desk:
    """One per process: its jobs' threads share it."""

    def __init__(self, settings: CronSettings) -> None:
        self.settings = settings
        self._database_url = settings.database_url.get_secret_value()
        self.engine: Engine = create_role_engine(self._database_url, ROLE, SERVICE)
        amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
        self.outlet = Outlet(choose_bus(amqp_url, self.connect, SERVICE).command_publisher())

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its own under the same role."""
        return connect_as(self._database_url, ROLE, SERVICE)

    def close(self) -> None:
        self.outlet.close()
        self.engine.dispose()


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
