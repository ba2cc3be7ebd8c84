"""What every part of backups ends with when it cannot go on."""


class BackupFailed(Exception):
    """A backup cannot be taken, opened or proven. The message is for people: what is wrong, and where."""
