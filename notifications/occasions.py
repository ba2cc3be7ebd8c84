"""What a message was planned for: what its rule compares with how things are when it is sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# What makes a message no longer true, as kept in its row; None: it is true.
Reason = str | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A time in a hall."""

    hall_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Occasion:
    """`period_end` is a reminder's; `slot` is that of the booking when the message was planned."""

    name: str
    period_end: datetime | None = None
    slot: Slot | None = None


def occasion_of(name: str, facts: Mapping[str, object]) -> Occasion:
    """The occasion of a planned message, by what its row keeps."""
    hall_id = facts.get("hall_id")
    starts_at, ends_at = _instant(facts, "starts_at"), _instant(facts, "ends_at")
    slot = Slot(UUID(str(hall_id)), starts_at, ends_at) if hall_id and starts_at and ends_at else None
    return Occasion(name, _instant(facts, "period_end"), slot)


def _instant(facts: Mapping[str, object], name: str) -> datetime | None:
    value = facts.get(name)
    return datetime.fromisoformat(value) if isinstance(value, str) else None
