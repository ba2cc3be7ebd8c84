"""How a sum, a time and a number are written for a person, and how a sum is read from what one typed."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision

from admin_api.pages.words import Language
from kit.errors import BillbusError

AMOUNT_DIGITS_LIMIT: Final = 12
_SPACES: Final = re.compile(r"[\s\u00a0\u202f']")
_AMOUNT: Final = re.compile(rf"\d{{1,{AMOUNT_DIGITS_LIMIT}}}(?:[.,](\d+))?", re.ASCII)
# Commas mark thousands only where a point follows: `12,345` alone may be a slip of a thousandfold.
_WITH_THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+\.\d+", re.ASCII)
_TIME: Final = {"ru": "d MMM y, HH:mm", "en": "d MMM y, HH:mm"}


class NotAnAmount(BillbusError):
    """What was typed is no sum of money in that currency."""

    code = "not_an_amount"


def money_text(amount_minor: int, currency: str, language: Language) -> str:
    """`149050`, RUB → `1 490,50 ₽` in Russian, `RUB 1,490.50` in English."""
    amount = Decimal(amount_minor).scaleb(-get_currency_precision(currency))
    written = str(format_currency(amount, currency, locale=language))
    # A currency that has no sign in this language is written by its code, which needs a space.
    return (
        written.replace(currency, f"{currency}\u00a0")
        if written.lstrip("-").startswith(currency)
        else written
    )


def typed_amount(amount_minor: int, currency: str, language: Language) -> str:
    """A sum as it stands in a form's field, without its currency."""
    digits = get_currency_precision(currency)
    amount = Decimal(amount_minor).scaleb(-digits)
    text = f"{amount:,.{digits}f}"
    return text if language == "en" else text.replace(",", " ").replace(".", ",")


def read_amount(typed: str, currency: str) -> int:
    """`1 490,50` and `1,490.50` → `149050`. Raises NotAnAmount."""
    digits = get_currency_precision(currency)
    text = _SPACES.sub("", typed)
    if _WITH_THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    found = _AMOUNT.fullmatch(text)
    if found is None or len(found[1] or "") > digits:
        raise NotAnAmount
    return int(Decimal(text.replace(",", ".")).scaleb(digits))


def time_text(at: datetime, timezone: str, language: Language) -> str:
    """Local time of the studio, to the minute."""
    return str(format_datetime(at, _TIME[language], ZoneInfo(timezone), locale=language))


def span_text(starts_at: datetime, ends_at: datetime, timezone: str, language: Language) -> str:
    """From when to when: `5 дек. 2026, 10:00–12:00`; with both days where it is not over on the first."""
    starts, ends = (at.astimezone(ZoneInfo(timezone)) for at in (starts_at, ends_at))
    begins = time_text(starts_at, timezone, language)
    if ends.date() == starts.date():
        return f"{begins}–{ends:%H:%M}"
    if ends.date() - starts.date() == timedelta(days=1) and ends.time() == time():
        return f"{begins}–24:00"
    return f"{begins} – {time_text(ends_at, timezone, language)}"


def date_text(on: date, language: Language) -> str:
    return str(format_date(on, "d MMMM y", locale=language))


def number_text(number: int, language: Language) -> str:
    return str(format_decimal(number, locale=language))
