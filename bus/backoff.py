"""How long either transport waits before it connects again."""

import random

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0


def reconnect_delay_seconds(failures: int) -> float:
    """Doubles with every failure in a row up to a cap; jittered, so that processes do not return as one."""
    delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures, 10))
    return delay * random.uniform(0.5, 1.0)  # noqa: S311  # not a secret
