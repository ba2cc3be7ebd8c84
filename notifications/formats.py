"""How sums and dates stand in a message, by its language and on the studio's calendar. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision

from notifications.situations import Money

Language = Literal["ru", "en"]

# Nobody writes kopecks that are not there.
_WHOLE: Final = {"ru": "#,##0\u00a0¤", "en": "¤#,##0"}
_BROKEN: Final = {"ru": "#,##0.00\u00a0¤", "en": "¤#,##0.00"}


def money_text(money: Money, language: Language) -> str:
    """`149000`, RUB → `1 490 ₽` in Russian, `RUB 1,490` in English; spaces do not break."""
    amount = Decimal(money.amount_minor).scaleb(-get_currency_precision(money.currency))
    pattern = _WHOLE if amount == amount.to_integral_value() else _BROKEN
    written = format_currency(amount, money.currency, pattern[language], language, currency_digits=False)
    # A currency that has no sign in this language is written by its code, which needs a space.
    return written.replace(money.currency, f"{money.currency}\u00a0") if language == "en" else written


def date_text(at: datetime, timezone: str, language: Language) -> str:
    """`28 ноября 2026`, `28 November 2026`: the studio's day."""
    return format_datetime(at, "d\u00a0MMMM\u00a0y", ZoneInfo(timezone), language)


def time_text(at: datetime, timezone: str, language: Language) -> str:
    """`28 ноября 2026, 14:05`: for the ends of terms, by the studio's clock on the wall."""
    return format_datetime(at, "d\u00a0MMMM\u00a0y, HH:mm", ZoneInfo(timezone), language)
