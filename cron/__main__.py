"""`python -m cron`: runs the jobs by their schedules until SIGTERM or SIGINT."""

import signal
import sys
from threading import Thread

import structlog
from prometheus_client import REGISTRY

from cron.certificate import CertificateCollector
from cron.desk import SERVICE, Desk
from cron.jobs import JOBS, Job
from cron.schedule import Schedule, ScheduleInvalid
from cron.timekeeping import Timekeeper
from runtime.error_reporting import begin_logging
from runtime.metrics import serve_metrics
from runtime.settings import CronSettings, load_settings

JOIN_SECONDS = 0.5


def main() -> None:
    settings = load_settings(CronSettings)
    schedules = _schedules(settings)
    begin_logging(SERVICE, settings)
    if settings.certificate_address:
        REGISTRY.register(CertificateCollector(settings.certificate_address))
    serve_metrics(settings.metrics_port, settings.metrics_host)
    desk = Desk(settings)
    keepers = [Timekeeper(desk, job, schedule) for job, schedule in schedules]

    def stop(_signal: int, _frame: object) -> None:
        for keeper in keepers:
            keeper.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    told = {job.name: f"{schedule.fields} {schedule.timezone}" for job, schedule in schedules}
    structlog.get_logger(__name__).info("cron begins", jobs=told)
    threads = [Thread(target=keeper.run, name="cron") for keeper in keepers]
    for thread in threads:
        thread.start()
    # Joined in short turns: a signal is heard between them.
    for thread in threads:
        while thread.is_alive():
            thread.join(JOIN_SECONDS)
    desk.close()


def _schedules(settings: CronSettings) -> list[tuple[Job, Schedule]]:
    """The jobs that have one. Ends the process with a sentence for a wrong field, or for none at all."""
    try:
        found = [(job, schedule) for job in JOBS.values() if (schedule := job.schedule(settings))]
    except ScheduleInvalid as error:
        sys.exit(f"billbus: {error}")
    if not found:
        sys.exit("billbus: no job has a schedule: CRON_RENEWAL, CRON_REMINDER and CRON_BACKUP are empty")
    return found


if __name__ == "__main__":
    main()
