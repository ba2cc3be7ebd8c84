"""When a job is due: five crontab fields on the clock of one time zone.

Called by the process and by its command line. Pure but for the time that it is told. Where clocks are set, a
fixed hour that is skipped comes right after the gap, and one that is repeated comes once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from storage.studios import is_time_zone

FIELD_COUNT = 5
# No clock is set back by more at once.
REPEATED_MAX = timedelta(hours=3)


class ScheduleInvalid(Exception):
    """The sentence says which setting is wrong and how."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Made by `read_schedule`, so its fields and its zone are known to be good."""

    fields: str
    timezone: str

    def latest(self, now: datetime) -> datetime:
        """The last due time that has come, in UTC. Raises StopIteration if there was none in 50 years."""
        # Back from where no clock shows an hour for the second time: else what came in the first is missed.
        later = now.replace(microsecond=0) + REPEATED_MAX
        moments = CronSim(self.fields, later.astimezone(ZoneInfo(self.timezone)), reverse=True)
        return next(moment for each in moments if (moment := each.astimezone(UTC)) <= now)

    def next(self, now: datetime) -> datetime:
        """The first due time that is still to come, in UTC. Raises StopIteration, as `latest`."""
        moments = CronSim(self.fields, now.astimezone(ZoneInfo(self.timezone)))
        return next(moment for each in moments if (moment := each.astimezone(UTC)) > now)


def read_schedule(setting: str, fields: str, timezone: str, now: datetime) -> Schedule | None:
    """The schedule that a setting holds; None when it is empty. Raises ScheduleInvalid."""
    if not is_time_zone(timezone):
        raise ScheduleInvalid(f"CRON_TIMEZONE: {timezone} is no IANA time zone.")
    if not fields.strip():
        return None
    if len(fields.split()) != FIELD_COUNT:
        raise ScheduleInvalid(f'{setting.upper()}: "{fields}" does not have the five fields of a crontab.')
    schedule = Schedule(fields, timezone)
    try:
        schedule.next(now)
    except (CronSimError, ValueError) as error:
        raise ScheduleInvalid(f'{setting.upper()}: "{fields}" is no crontab schedule: {error}.') from None
    except (StopIteration, RuntimeError):
        raise ScheduleInvalid(f'{setting.upper()}: "{fields}" never comes.') from None
    return schedule
