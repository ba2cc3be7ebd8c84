"""Named points at which a test may kill a process, to prove that nothing is lost or done twice there.

With CRASH_AT=point:n in the environment the n-th passing of that point ends the process as `kill -9` would:
no handler, no `finally`, no flush. Without it a point costs one comparison.
"""

import os
import signal

_POINT, _, _NTH = os.environ.get("CRASH_AT", "").partition(":")
_passed = 0


def crash_point(name: str) -> None:
    """Dies here if this is the point and the time that CRASH_AT names."""
    global _passed
    if name != _POINT:
        return
    _passed += 1
    if _passed == int(_NTH or 1):
        os.kill(os.getpid(), signal.SIGKILL)
