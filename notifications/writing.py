"""How names stand in a message: on one line, of a bounded length, ready for quotation marks. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from notifications.formats import Language

NAME_LENGTH_LIMIT: Final = 60
LINE_LENGTH_LIMIT: Final = 100
# Names stand in quotation marks, and those inside a name are the language's inner ones.
_INNER_QUOTES: Final[Mapping[Language, Mapping[int, int]]] = {
    "ru": str.maketrans("«»", "„“"),
    "en": str.maketrans("“”", "‘’"),
}
_SPACES: Final = re.compile(r"\s+")


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
