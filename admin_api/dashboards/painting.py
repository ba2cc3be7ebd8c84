"""Takes from pygal's picture what acts or points elsewhere, and writes its looks on the elements themselves.

Presentation attributes are no style: they hold under any content security policy. Called by `drawing`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from admin_api.dashboards import theme

# Scripts and style sheets, and what only those would show; comments have a function for a tag.
_DROPPED_TAGS: Final = frozenset({"defs", "script", "style", "desc", "title"})
_DROPPED_CLASSES: Final = frozenset({"tooltip-overlay", "overlay"})
_SERIES: Final = re.compile(r"color-(\d+)")
_FILL: Final = re.compile(r"fill: ([^;]+)")

_Classes = frozenset[str]


def drop_what_acts(element: Element) -> None:
    """Scripts, styles, tooltips and comments, all the way down."""
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag in _DROPPED_TAGS or _classes(child) & _DROPPED_CLASSES:
            element.remove(child)
        else:
            drop_what_acts(child)


def paint(root: Element, colors: Sequence[str], letters: int) -> None:
    """`colors` by series; `letters` is the size of all words, in units of the view box."""
    _paint(root, frozenset(), colors, letters)


def _paint(element: Element, above: _Classes, colors: Sequence[str], letters: int) -> None:
    around = above | _classes(element)
    looks = dict(_looks(element, around, letters))
    if series := _SERIES.search(element.get("class", "")):
        looks["fill"] = colors[int(series[1]) % len(colors)]
    if own := _FILL.search(element.attrib.pop("style", "")):
        looks["fill"] = own[1]
    if element.tag == "text" and "text-anchor" in element.attrib:
        looks.pop("text-anchor", None)
    element.attrib.update(looks)
    for child in element:
        _paint(child, around, colors, letters)


def _looks(element: Element, around: _Classes, letters: int) -> Iterator[tuple[str, str]]:
    own = _classes(element)
    match element.tag:
        case "rect" if "background" in own:
            yield "fill", theme.PAPER
        case "path":
            is_zero = {"axis", "major"} <= own
            yield from _line(theme.QUIET if is_zero else theme.LINE, "1.5" if is_zero else "1")
        case "text":
            yield from _WORDS_OF.get(next((kind for kind in _WORDS_OF if kind in around), ""), {}).items()
            yield "font-size", str(letters)


def _line(color: str, width: str) -> Iterator[tuple[str, str]]:
    yield from {"stroke": color, "stroke-width": width, "fill": "none"}.items()


# The innermost kind of words that an element may be in comes first.
_WORDS_OF: Final[Mapping[str, Mapping[str, str]]] = {
    "value": {"fill": theme.INK, "font-weight": "600"},
    "legends": {"fill": theme.INK},
    "no_data": {"fill": theme.QUIET, "text-anchor": "middle"},
    "y": {"fill": theme.QUIET, "text-anchor": "end"},
    "x": {"fill": theme.QUIET, "text-anchor": "middle"},
}


def _classes(element: Element) -> _Classes:
    return frozenset(element.get("class", "").split())
