"""Runs commands and ends all of them, with what they started, as soon as whoever started it is gone.

Called by `runtime.rabbitmq` as a process of its own, `python -IS guardian.py GRACE COMMAND [-- COMMAND]`,
because RabbitMQ is more than the child that a parent could tie to itself: the port mapper and helpers come
with it. Standard library only, and no import of the project: it starts in a few hundredths of a second.

Protocol: it prints the process ids, one line. Its standard input is the lifeline. End of file: SIGTERM to the
last command, and when that has ended or GRACE seconds are over, SIGKILL to all. A byte `k`: SIGKILL at once.
It ends when the last command ends, having ended the others: those only serve the last one.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

KILL_NOW = b"k"
SEPARATOR = "--"
POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_guardian() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """In a process group of its own, so that one signal reaches its children too."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True, preexec_fn=_die_with_guardian
    )


def wait_for_the_end(last: subprocess.Popen[bytes]) -> bool:
    """Until the parent is gone or asks, or the last command ends. True: kill without grace."""
    while last.poll() is None:
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable:
            return os.read(0, 1) == KILL_NOW
    return True


def end(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """SIGTERM to the process, and SIGKILL to all of its group when it is gone or the grace is over."""
    deadline = time.monotonic() + grace_seconds
    if grace_seconds > 0:
        process.terminate()
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def split(words: Sequence[str]) -> list[list[str]]:
    """The commands between the separators."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == SEPARATOR:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def main(words: Sequence[str]) -> None:
    """See the module's protocol."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # only the lifeline decides
    grace_seconds = float(words[0])
    processes = [start(command) for command in split(words[1:])]
    os.write(1, f"{' '.join(str(process.pid) for process in processes)}\n".encode())
    at_once = wait_for_the_end(processes[-1])
    end(processes[-1], 0 if at_once else grace_seconds)
    for process in processes[:-1]:  # no grace: epmd, for one, does not hear SIGTERM
        end(process, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
