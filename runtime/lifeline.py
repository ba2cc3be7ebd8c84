"""What ties a started process, and the directory it works in, to the life of its parent.

Called by everything in runtime that starts a process. Never starts or stops one itself.
"""

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class DirectoryBusy(Exception):
    """Another running process works in this directory."""


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` after which the kernel sends `death_signal` to the child when its parent is gone.

    Linux only, None elsewhere. The kernel watches the *thread* that forked: start children from one that
    lives as long as they should. Python runs it after setuid, which would otherwise clear the setting.
    """
    if _LIBC is None:
        return None
    prctl, parent = _LIBC.prctl, os.getpid()

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it was gone before the kernel had been told
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


class DirectoryLock:
    """Ownership of a state directory by this process; the kernel gives it up when the process ends.

    Who holds it may treat every server still running in the directory as left over.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises DirectoryBusy, with the owner's process id. Idempotent."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DirectoryBusy(f"{self._path.parent} is in use by the running process {owner}") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
