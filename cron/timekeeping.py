"""The loop of one job: looks at the clock, and runs what has come due.

One thread per job, so that a long backup holds no reminder up. It keeps no plan: the last due time that has
come is either recorded as over or it is run now. So whatever was missed while nothing ran is done once, a
clock that is set forth and back repeats nothing, and two processes share the work.
"""

from datetime import datetime
from time import monotonic, sleep

import structlog

from bus.backoff import reconnect_delay_seconds
from cron.desk import Desk
from cron.jobs import Job
from cron.runner import JobBusy, run_job
from cron.schedule import Schedule
from kit.clock import Clock, system_clock
from runtime.metrics import JOB_LATE_SECONDS, count_database_error

LOOK_EVERY_SECONDS = 1.0
# While another process has the job in hand.
BUSY_SECONDS = 10.0
STEP_SECONDS = 0.2

log = structlog.get_logger(__name__)


class Timekeeper:
    """Runs `job` by `schedule` until `is_stopping`; a page that is in hand is finished first."""

    def __init__(self, desk: Desk, job: Job, schedule: Schedule, clock: Clock = system_clock) -> None:
        self._desk = desk
        self._job = job
        self._schedule = schedule
        self._clock = clock
        self._over: datetime | None = None
        self.is_stopping = False
        JOB_LATE_SECONDS.labels(job.name).set_function(self.late_seconds)

    def run(self) -> None:
        """Raises nothing: what is wrong now may be right at the next look."""
        failures = 0
        while not self.is_stopping:
            pause_seconds = LOOK_EVERY_SECONDS
            try:
                self.look()
                failures = 0
            except JobBusy:
                pause_seconds = BUSY_SECONDS
            except Exception as error:
                failures += 1
                count_database_error(error)  # the lock's; the engine's come wrapped, and are counted
                pause_seconds = reconnect_delay_seconds(failures)
                log.warning("job waits", job=self._job.name, failures=failures, reason=str(error)[:200])
            self._wait(pause_seconds)

    def look(self) -> None:
        """Runs the job if its last due time is not over. Raises what `run_job` raises."""
        now = self._clock()
        due_at = self._schedule.latest(now)
        if due_at == self._over:
            return
        result = run_job(self._desk, self._job, due_at, now, lambda: self.is_stopping)
        if result.outcome != "stopped":
            self._over = due_at

    def late_seconds(self) -> float:
        """How long ago the job should have been over; a run that hangs is late too."""
        now = self._clock()
        due_at = self._schedule.latest(now)
        return 0.0 if due_at == self._over else (now - due_at).total_seconds()

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while not self.is_stopping and (left := until - monotonic()) > 0:
            sleep(min(left, STEP_SECONDS))
