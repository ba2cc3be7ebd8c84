"""Exact money at the CloudPayments edge: integer minor units inside, decimals with two places outside.

Called by the client, the callbacks and the widget. A float never appears, neither way.
"""

import re
from decimal import Decimal
from typing import Final

MINOR_DIGITS: Final = 2
TWO_DECIMAL_CURRENCIES: Final = frozenset({
    "AED", "AMD", "AUD", "AZN", "BRL", "BYN", "CAD", "CHF", "CNY", "CZK", "EUR", "GBP", "GEL", "HKD",
    "INR", "KGS", "KZT", "PLN", "RUB", "SEK", "TRY", "USD", "UZS", "ZAR",
})  # fmt: skip

_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")


class UnreadableAmount(ValueError):
    """Not a positive amount with at most two decimals in a currency that has two."""


def minor_from_text(text: str) -> int:
    """Read `1490`, `1490.0` or `1490.00`; refuse signs, exponents, spaces and a third decimal.

    Raises UnreadableAmount.
    """
    if not _AMOUNT.fullmatch(text):
        raise UnreadableAmount("amount is not a plain decimal")
    amount_minor = int(Decimal(text).scaleb(MINOR_DIGITS))
    if amount_minor == 0:
        raise UnreadableAmount("amount is zero")
    return amount_minor


def minor_from_number(value: object) -> int:
    """Read an amount parsed from JSON as int or Decimal. Raises UnreadableAmount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnreadableAmount("amount is not a number")
    return minor_from_text(str(value))


def decimal_from_minor(amount_minor: int, currency: str) -> Decimal:
    """Give the exact decimal with two places. Raises UnreadableAmount for another kind of currency."""
    if amount_minor <= 0:
        raise UnreadableAmount("amount is not positive")
    read_currency(currency)
    return Decimal(amount_minor).scaleb(-MINOR_DIGITS)


def read_currency(code: str) -> str:
    """Give the code back when amounts in it have two decimals. Raises UnreadableAmount."""
    if code not in TWO_DECIMAL_CURRENCIES:
        raise UnreadableAmount("currency is not one with two decimals")
    return code
