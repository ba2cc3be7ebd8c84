"""A sum, as messages tell of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """Minor units of one currency."""

    amount_minor: int
    currency: str
