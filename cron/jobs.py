"""The jobs of the house: what each does, and which setting says when.

Called by the process and by `billbus cron`. A new job is a function, a setting and a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cron.backup import take_one_backup
from cron.desk import Done, Run
from cron.reminder import plan_due_reminders
from cron.renewal import renew_and_end
from cron.schedule import Schedule, read_schedule
from kit.clock import system_clock
from runtime.settings import CronSettings


@dataclass(frozen=True, slots=True)
class Job:
    """`counts` is what the number of a run counts; `setting` holds its crontab fields."""

    name: str
    tells: str
    counts: str
    setting: str
    work: Callable[[Run], Done]

    def schedule(self, settings: CronSettings) -> Schedule | None:
        """None: only by hand. Raises ScheduleInvalid."""
        fields = str(getattr(settings, self.setting))
        return read_schedule(self.setting, fields, settings.cron_timezone, system_clock())


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(
            "renewal",
            "Invoices the next period of subscriptions, and ends those that were to end.",
            "commands",
            "cron_renewal",
            renew_and_end,
        ),
        Job(
            "reminder",
            "Plans messages that a subscription is about to renew or to end.",
            "messages",
            "cron_reminder",
            plan_due_reminders,
        ),
        Job("backup", "Takes an encrypted backup; old ones go.", "backups", "cron_backup", take_one_backup),
    )
}
