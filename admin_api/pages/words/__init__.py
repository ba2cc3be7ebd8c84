"""Every sentence of the pages in Russian and English, one module for each room, merged here.

A word's text may name facts, as `str.format` does; a fact with forms, `{count:день|дня|дней}`, is written as
the form that fits the number. What is missing is shown by its key; tests walk the keys, and the rooms: no two
have one key.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from string import Formatter
from typing import Any, Final, Literal

from babel import Locale

Language = Literal["ru", "en"]
LANGUAGES: Final[tuple[Language, Language]] = ("ru", "en")

_FORM_NUMBERS: Final = {"one": 0, "few": 1, "many": 2, "other": -1}


class _Speech(Formatter):
    """`str.format` that knows the plural forms of its language and forgives a fact that is not there."""

    def __init__(self, language: Language) -> None:
        self._plural_form = Locale.parse(language).plural_form

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), "…")

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" not in format_spec:
            return str(format(value, format_spec))
        forms = format_spec.split("|")
        number = int(value) if str(value).isdecimal() else 0
        return forms[_FORM_NUMBERS[self._plural_form(number)]]


Words = dict[str, tuple[str, str]]

ROOMS: Final[dict[str, Words]] = {
    room.name: import_module(f"{__name__}.{room.name}").WORDS for room in iter_modules(__path__)
}
WORDS: Final[Words] = {key: words for room in ROOMS.values() for key, words in room.items()}
_SPEECHES: Final = {language: _Speech(language) for language in LANGUAGES}


def say(language: Language, key: str, facts: Mapping[str, object] | None = None) -> str:
    """The sentence `key`; `facts` are already written as a person reads them, but for counts."""
    words = WORDS.get(key)
    if words is None:
        return key.rpartition(".")[2].replace("_", " ")
    text = words[LANGUAGES.index(language)]
    return _SPEECHES[language].vformat(text, (), facts or {}) if facts else text


def knows(key: str) -> bool:
    return key in WORDS
