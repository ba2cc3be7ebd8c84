"""Named points at which a test may kill or stop a process, to prove that nothing is lost or done twice there.

With CRASH_AT=point:n in the environment the n-th passing of that point ends the process as `kill -9` would:
no handler, no `finally`, no flush. CRASH_AT=point:n:stop stops it there until SIGCONT, as a process that its
machine has forgotten. Without it a point costs one comparison.
"""

import os
import signal
import threading

_POINT, _, _rest = os.environ.get("CRASH_AT", "").partition(":")
_nth, _, _way = _rest.partition(":")
_NTH = int(_nth or 1)
_SIGNAL = signal.SIGSTOP if _way == "stop" else signal.SIGKILL
_passings = 0
_counting = threading.Lock()


def crash_point(name: str) -> None:
    """Dies here if this is the point and the time that CRASH_AT names."""
    global _passings
    if name != _POINT:
        return
    with _counting:
        _passings += 1
        is_here = _passings == _NTH
    if is_here:
        os.kill(os.getpid(), _SIGNAL)
