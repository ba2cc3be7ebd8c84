"""When to ask a provider again: soon at first, hourly in the end, and for ever while it matters."""

from collections.abc import Sequence

from runtime.settings import LOOK_UP_DELAYS_SECONDS


def look_up_delay_seconds(call_number: int, delays: Sequence[float] = LOOK_UP_DELAYS_SECONDS) -> float:
    """The pause after the call of this number (1 is the first); the last delay is repeated."""
    return delays[min(call_number, len(delays)) - 1]
