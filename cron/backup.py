"""The job `backup`: asks `backups` for one, as the owner of the tables, whom the settings name.

A backup is whole or not there, so there is no page to stop at: whoever stops the process waits, or kills it.
"""

from backups.taking import take_backup
from cron.desk import Done, Run


def take_one_backup(run: Run) -> Done:
    """Takes one backup. Raises BackupFailed."""
    take_backup(run.desk.settings, run.now)
    return Done(1)
