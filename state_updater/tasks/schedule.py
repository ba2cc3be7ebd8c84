"""When to ask a provider again: soon at first, hourly in the end, and for ever while it matters."""

# Seconds after the n-th call about one subject; the last is repeated.
LOOK_UP_DELAYS_SECONDS = (10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


def look_up_delay_seconds(call_number: int) -> float:
    """The pause after the call of this number (1 is the first)."""
    return LOOK_UP_DELAYS_SECONDS[min(call_number, len(LOOK_UP_DELAYS_SECONDS)) - 1]
