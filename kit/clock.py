"""The clock port: time enters at the edges and is handed down, so that no decision reads it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, aware and in UTC."""
    return datetime.now(UTC)
