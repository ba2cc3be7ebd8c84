"""How a step fails: it says what was expected and what came instead.

Called by every file of the demo. Nothing here speaks HTTP.
"""

import time
from collections.abc import Callable
from typing import TypeVar

CAME_LENGTH_MAX = 2_000
POLL_SECONDS = 0.1

Seen = TypeVar("Seen")


class StepFailed(Exception):
    """`expected` and `came` are for people."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(expected, came)
        self.expected = expected
        self.came = came[:CAME_LENGTH_MAX]


def expect(holds: bool, expected: str, came: object) -> None:
    """Raises StepFailed."""
    if not holds:
        raise StepFailed(expected, str(came))


def wait_for(look: Callable[[], Seen], holds: Callable[[Seen], bool], expected: str, deadline: float) -> Seen:
    """Looks until it holds; `deadline` as time.monotonic(). Raises StepFailed with what was seen last."""
    while True:
        seen = look()
        if holds(seen):
            return seen
        expect(time.monotonic() < deadline, f"{expected}, in time", seen)
        time.sleep(POLL_SECONDS)
