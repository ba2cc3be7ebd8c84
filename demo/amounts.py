"""Sums as people write them."""

from collections.abc import Mapping
from typing import Any

SIGNS = {"RUB": "₽", "EUR": "€", "USD": "$"}
NO_BREAK_SPACE = "\u00a0"


def spoken(amount: Mapping[str, Any]) -> str:
    """`1 490,00 ₽` of {"amount_minor": 149000, "currency": "RUB"}; currencies with two decimals only."""
    whole, cents = divmod(int(amount["amount_minor"]), 100)
    digits = f"{whole:,}".replace(",", NO_BREAK_SPACE)
    sign = SIGNS.get(amount["currency"], amount["currency"])
    return f"{digits},{cents:02d}{NO_BREAK_SPACE}{sign}"
