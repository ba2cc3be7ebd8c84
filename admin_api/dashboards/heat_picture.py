"""The week's hours as a picture: a rectangle for each, the darker the fuller, with its share written in it.

Pure: the cells in, the bytes out. Drawn by hand, for pygal has no such chart; what it may hold is what
`drawing` lets through: no script, no style sheet, no address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from admin_api.dashboards import theme
from admin_api.dashboards.drawing import SHEETS, Size
from admin_api.dashboards.heat import HOURS, WEEKDAYS, HeatCell

# From empty to full: one color, told apart by its lightness, with words in it that are.
SHADES: Final = ("#f1f5f8", "#cfe4f2", "#94c4e3", "#3d8bc0", "#004b7c")
# From this shade on words are white.
DARK_FROM: Final = 3
OFF: Final = "#e3e8ec"
LABELS: Final = 52
HEADS: Final = 22
ROW: Final[Mapping[Size, int]] = {"wide": 34, "half": 34, "narrow": 26}
GAP: Final = 2
_SHADE_PERCENT: Final = 25


@dataclass(frozen=True, slots=True)
class Words:
    """`weekdays` by ISO number, `title` of the whole."""

    title: str
    weekdays: Mapping[int, str]
    say_hour: Callable[[int], str]


def hours_shown(cells: Sequence[HeatCell]) -> range:
    """From the first hour in which anything is open or anybody comes to the last; all without any."""
    busy = [cell.hour for cell in cells if cell.open_minutes or cell.count]
    return range(min(busy), max(busy) + 1) if busy else range(len(HOURS))


def shade_of(share_percent: int) -> int:
    """0 for nothing, then a shade for each quarter begun."""
    return -(-share_percent // _SHADE_PERCENT)


def draw_heat(cells: Sequence[HeatCell], words: Words, size: Size) -> bytes:
    """UTF-8 SVG: weekdays below one another, hours side by side; on a narrow sheet the other way round."""
    hours = hours_shown(cells)
    is_narrow = size == "narrow"
    columns = [words.weekdays[day] for day in WEEKDAYS] if is_narrow else [words.say_hour(h) for h in hours]
    lines = [words.say_hour(h) for h in hours] if is_narrow else [words.weekdays[day] for day in WEEKDAYS]
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {SHEETS[size].width} {heat_height(cells, size)}",
            "role": "img",
            "font-family": theme.FONT,
            "font-size": str(SHEETS[size].letters - 1),
        },
    )
    SubElement(root, "title").text = words.title
    width = (SHEETS[size].width - LABELS) / len(columns)
    for number, word in enumerate(columns):
        _write(root, word, LABELS + (number + 0.5) * width, HEADS - 7, theme.QUIET)
    for number, word in enumerate(lines):
        _write(root, word, LABELS / 2, HEADS + (number + 0.5) * ROW[size] + 5, theme.QUIET)
    for cell in cells:
        if cell.hour in hours:
            across, down = cell.hour - hours.start, cell.weekday - 1
            column, line = (down, across) if is_narrow else (across, down)
            _draw_cell(root, cell, LABELS + column * width, HEADS + line * ROW[size], width, ROW[size])
    picture: bytes = tostring(root, encoding="utf-8")
    return picture


def heat_height(cells: Sequence[HeatCell], size: Size) -> int:
    """CSS pixels."""
    return HEADS + ROW[size] * (len(hours_shown(cells)) if size == "narrow" else len(WEEKDAYS))


def _draw_cell(root: Element, cell: HeatCell, x: float, y: float, width: float, height: float) -> None:
    shade = None if cell.share_percent is None else shade_of(cell.share_percent)
    SubElement(
        root,
        "rect",
        {
            "x": f"{x:.1f}",
            "y": f"{y:.1f}",
            "width": f"{width - GAP:.1f}",
            "height": f"{height - GAP:.1f}",
            "rx": "3",
            "fill": OFF if shade is None else SHADES[shade],
        },
    )
    # Somebody comes while it is closed: there is no share, and yet it is not nothing.
    word = "•" if shade is None and cell.count else "" if shade is None else str(cell.share_percent)
    ink = theme.PAPER if shade is not None and shade >= DARK_FROM else theme.INK
    if word:
        _write(root, word, x + (width - GAP) / 2, y + height / 2 + 4, ink)


def _write(root: Element, word: str, x: float, y: float, ink: str) -> None:
    at = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": "middle", "fill": ink}
    SubElement(root, "text", at).text = word
