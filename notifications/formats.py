"""How sums, dates and names stand in a message: in its language, by the studio's clock, on one line. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision

from notifications.money import Money

Language = Literal["ru", "en"]

# Nobody writes kopecks that are not there.
_WHOLE: Final = {"ru": "#,##0\u00a0¤", "en": "¤#,##0"}
_BROKEN: Final = {"ru": "#,##0.00\u00a0¤", "en": "¤#,##0.00"}

_DAY: Final = "EEEE, d\u00a0MMMM\u00a0y"

NAME_LENGTH_LIMIT: Final = 60
LINE_LENGTH_LIMIT: Final = 100
# Names stand in quotation marks, and those inside a name are the language's inner ones.
_INNER_QUOTES: Final[Mapping[Language, Mapping[int, int]]] = {
    "ru": str.maketrans("«»", "„“"),
    "en": str.maketrans("“”", "‘’"),
}
_SPACES: Final = re.compile(r"\s+")


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


def visit_text(starts_at: datetime, ends_at: datetime, timezone: str, language: Language) -> str:
    """`суббота, 28 ноября 2026, 14:00–16:00`: by the studio's clock on the wall.

    Over midnight it is with both days. An hour that the clock shows twice has its offset from UTC beside it.
    """
    zone = ZoneInfo(timezone)
    starts, ends = starts_at.astimezone(zone), ends_at.astimezone(zone)
    begun = format_datetime(starts, _DAY, zone, language)
    is_midnight = (ends.hour, ends.minute) == (0, 0)
    last_day = (ends - timedelta(days=is_midnight)).date()
    end = "24:00" if is_midnight else f"{ends:%H:%M}{_which(ends)}"
    begin = f"{begun}, {starts:%H:%M}{_which(starts)}"
    if last_day == starts.date():
        return f"{begin}–{end}"
    return f"{begin} – {format_datetime(ends, _DAY, zone, language)}, {ends:%H:%M}{_which(ends)}"


def _which(local: datetime) -> str:
    """Nothing, but for a time of day that is there twice."""
    other = local.replace(fold=1 - local.fold)
    if other.utcoffset() == local.utcoffset():
        return ""
    return f" (UTC{local:%z})"


def begin_text(at: datetime, timezone: str, language: Language) -> str:
    """`28 ноября, 14:05`: the beginning of a visit, for subjects."""
    return format_datetime(at, "d\u00a0MMMM, HH:mm", ZoneInfo(timezone), language)


def time_text(at: datetime, timezone: str, language: Language) -> str:
    """`28 ноября 2026, 14:05`: for the ends of terms, by the studio's clock on the wall."""
    return format_datetime(at, "d\u00a0MMMM\u00a0y, HH:mm", ZoneInfo(timezone), language)


def one_line(text: str, limit: int = 200) -> str:
    """Without anything that could end a header's line or turn the reading direction; never longer."""
    printable = "".join(
        char if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for char in text
    )
    flat = _SPACES.sub(" ", printable).strip()
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def name_in_quotes(name: str, language: Language) -> str:
    """What is to be written between quotation marks."""
    return one_line(name, NAME_LENGTH_LIMIT).translate(_INNER_QUOTES[language])
