"""Exact amounts on the twin's wire: roubles with at most two decimals outside, kopecks inside."""

import re
from decimal import Decimal

_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")


def minor_from_wire(value: object) -> int | None:
    """Read an amount given as a number or text; None when it is none that the provider takes."""
    text = str(value)
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text):
        return None
    return int(Decimal(text).scaleb(2)) or None


def wire_from_minor(amount_minor: int) -> str:
    """Give `1490.00`."""
    return str(Decimal(amount_minor).scaleb(-2))
