"""Rules of a studio as lines of text: opening hours, rates, tiers and terms, a line for each.

Called by the pages, whose forms and facts show what is JSON everywhere else: `mon-fri 10:00-22:00`,
`sat 18:00-24:00 2026-06-01..2026-08-31 2500 Evening`, `4 h 10 %`. A length of time, `15 min`, is seconds
elsewhere. Russian and English are read alike, and written in the person's language. Whether rules make sense
is for `booking.rules` to say. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from babel.numbers import get_currency_precision

from booking.rules.calendar import read_hours
from booking.rules.prices import read_rates, read_tiers
from booking.rules.terms import read_terms

Language = Literal["ru", "en"]
Rule = Mapping[str, Any]

_DAYS: Final[Mapping[Language, Sequence[str]]] = {
    "ru": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
    "en": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}
_DAILY: Final[Mapping[Language, str]] = {"ru": "ежедневно", "en": "daily"}
_HOUR: Final[Mapping[Language, str]] = {"ru": "ч", "en": "h"}
_MINUTE: Final[Mapping[Language, str]] = {"ru": "мин", "en": "min"}
_NUMBER_OF_DAY: Final = {name: number for names in _DAYS.values() for number, name in enumerate(names, 1)}
_EVERY_DAY: Final = list(range(1, 8))
_SECOND: Final[Mapping[Language, str]] = {"ru": "с", "en": "s"}
_HOUR_MINUTES: Final = 60
_MINUTE_SECONDS: Final = 60

_TIMES: Final = r"(?P<starts>\d{1,2}:\d{2})\s*[-–—]\s*(?P<ends>\d{1,2}:\d{2})"
_SEASON: Final = r"(?:\s+(?P<first>\d{4}-\d{2}-\d{2})?\.\.(?P<last>\d{4}-\d{2}-\d{2})?)?"
_HOURS_LINE: Final = re.compile(rf"(?P<days>[^\d]+?)\s+{_TIMES}{_SEASON}", re.ASCII)
# A name begins with no digit: of `2 500 Evening` nobody shall be charged 2.
_RATE_LINE: Final = re.compile(
    rf"(?P<days>[^\d]+?)\s+{_TIMES}{_SEASON}\s+(?P<amount>\d+(?:[.,]\d+)?)\s+(?P<name>[^\s\d].*)", re.ASCII
)
_LENGTH: Final = re.compile(r"(?P<length>\d{1,7})\s*(?P<unit>[^\W\d]+)\.?")
_TIER_LINE: Final = re.compile(r"(?P<length>\d{1,5})\s*(?P<unit>[^\W\d]+)\.?\s+(?P<percent>\d{1,3})\s*%")


class NotInNotation(ValueError):
    """What was written means nothing there; `line` is its number, from 1."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


class NotALength(ValueError):
    """What was typed is no length of time."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How rules of one kind are written. `check` raises ValueError for rules that make no sense."""

    read_line: Callable[[str, str], dict[str, Any]]
    write_line: Callable[[Rule, Language, str], str]
    check: Callable[[Any], object]

    def read(self, text: str, currency: str) -> list[dict[str, Any]]:
        """A rule for each line that is not empty. Raises NotInNotation: the first line that is none."""
        rules = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                rules.append(self.read_line(" ".join(line.split()), currency))
                self.check(rules)
            except (ValueError, KeyError):
                raise NotInNotation(number) from None
        return rules

    def write(self, rules: Iterable[Rule], language: Language, currency: str) -> list[str]:
        return [self.write_line(rule, language, currency) for rule in rules]


def _matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(line)
    return found


def _read_days(text: str) -> list[int]:
    """`mon-fri,sun` → [1, 2, 3, 4, 5, 7]. Raises KeyError."""
    text = text.lower().replace(" ", "")
    if text in _DAILY.values():
        return _EVERY_DAY
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        from_day, to_day = _NUMBER_OF_DAY[first], _NUMBER_OF_DAY[last or first]
        # From Friday to Monday goes over the end of the week.
        days |= {(from_day - 1 + step) % 7 + 1 for step in range((to_day - from_day) % 7 + 1)}
    return sorted(days)


def _write_days(days: Iterable[int], language: Language) -> str:
    wanted = sorted(days)
    if wanted == _EVERY_DAY:
        return _DAILY[language]
    names, runs = _DAYS[language], list[list[int]]()
    for day in wanted:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_write_run([names[day - 1] for day in run]) for run in runs)


def _write_run(names: Sequence[str]) -> str:
    return f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names)


def _when(found: re.Match[str], starts: str, ends: str) -> dict[str, Any]:
    """Days, times of day and season, as fields named `starts` and `ends`."""
    rule: dict[str, Any] = {
        "weekdays": _read_days(found["days"]),
        starts: found["starts"].zfill(5),
        ends: found["ends"].zfill(5),
    }
    return rule | {name: day for name, day in (("from", found["first"]), ("until", found["last"])) if day}


def _write_when(rule: Rule, language: Language, starts: str, ends: str) -> str:
    season = f"{rule.get('from') or ''}..{rule.get('until') or ''}"
    always = f"{_write_days(rule['weekdays'], language)} {rule[starts]}-{rule[ends]}"
    return always if season == ".." else f"{always} {season}"


def _read_hours_line(line: str, _currency: str) -> dict[str, Any]:
    return _when(_matched(_HOURS_LINE, line), "opens", "closes")


def _write_hours_line(rule: Rule, language: Language, _currency: str) -> str:
    return _write_when(rule, language, "opens", "closes")


def _read_rate_line(line: str, currency: str) -> dict[str, Any]:
    found = _matched(_RATE_LINE, line)
    amount = Decimal(found["amount"].replace(",", ".")).scaleb(get_currency_precision(currency))
    if amount != int(amount):
        raise ValueError(line)
    return _when(found, "starts", "ends") | {"per_hour_minor": int(amount), "name": found["name"]}


def _write_rate_line(rule: Rule, language: Language, currency: str) -> str:
    digits = get_currency_precision(currency)
    amount = Decimal(rule["per_hour_minor"]).scaleb(-digits)
    whole = amount == int(amount)
    written = str(int(amount)) if whole else f"{amount:.{digits}f}"
    if language == "ru":
        written = written.replace(".", ",")
    return f"{_write_when(rule, language, 'starts', 'ends')} {written} {rule['name']}"


def _read_length(found: re.Match[str]) -> int:
    """Minutes. Raises ValueError."""
    unit = found["unit"].lower()
    if unit.startswith(tuple(_MINUTE.values())):
        return int(found["length"])
    if unit.startswith(tuple(_HOUR.values())):
        return int(found["length"]) * _HOUR_MINUTES
    raise ValueError(unit)


def _write_length(minutes: int, language: Language) -> str:
    hours, rest = divmod(minutes, _HOUR_MINUTES)
    return f"{minutes} {_MINUTE[language]}" if rest else f"{hours} {_HOUR[language]}"


def read_seconds(text: str) -> int:
    """`15 min`, `24 h`, `90 s` → seconds. Raises NotALength, for a bare number too: nobody knows of what."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise NotALength(text)
    if found["unit"].lower().startswith(tuple(_SECOND.values())):
        return int(found["length"])
    try:
        return _read_length(found) * _MINUTE_SECONDS
    except ValueError:
        raise NotALength(text) from None


def write_seconds(seconds: int, language: Language) -> str:
    minutes, rest = divmod(seconds, _MINUTE_SECONDS)
    return f"{seconds} {_SECOND[language]}" if rest else _write_length(minutes, language)


def _read_tier_line(line: str, _currency: str) -> dict[str, Any]:
    found = _matched(_TIER_LINE, line)
    return {"minutes_from": _read_length(found), "percent_off": int(found["percent"])}


def _write_tier_line(rule: Rule, language: Language, _currency: str) -> str:
    return f"{_write_length(rule['minutes_from'], language)} {rule['percent_off']} %"


def _read_term_line(line: str, _currency: str) -> dict[str, Any]:
    found = _matched(_TIER_LINE, line)
    hours, rest = divmod(_read_length(found), _HOUR_MINUTES)
    if rest:
        raise ValueError(line)
    return {"hours_before": hours, "refund_percent": int(found["percent"])}


def _write_term_line(rule: Rule, language: Language, _currency: str) -> str:
    return f"{rule['hours_before']} {_HOUR[language]} {rule['refund_percent']} %"


NOTATIONS: Final[Mapping[str, Notation]] = {
    "hours": Notation(_read_hours_line, _write_hours_line, read_hours),
    "rates": Notation(_read_rate_line, _write_rate_line, read_rates),
    "tiers": Notation(_read_tier_line, _write_tier_line, read_tiers),
    "terms": Notation(_read_term_line, _write_term_line, read_terms),
}
