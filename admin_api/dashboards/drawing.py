"""Charts as SVG pictures, drawn by pygal and cleaned: no script, no style sheet, no address, no comment.

What the style sheet said is written on the elements themselves, so the picture looks the same under any
content security policy and wherever it is put. Pure: the rows in, the bytes out.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from xml.etree.ElementTree import Element, tostring

import pygal
from pygal.style import Style

from admin_api.dashboards import theme
from admin_api.dashboards.painting import drop_what_acts, paint

# pygal looks for plugins of its own in whatever is imported after it, the old way that Python warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

STEPS_MAX: Final = 5
LEGEND_GAP: Final = 8

Size = Literal["wide", "half", "narrow"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture's paper: CSS pixels, and how many words fit below it."""

    width: int
    height: int
    letters: int
    labels: int
    row_height: int


SHEETS: Final[dict[Size, Sheet]] = {
    "wide": Sheet(width=880, height=330, letters=14, labels=8, row_height=38),
    "half": Sheet(width=480, height=280, letters=14, labels=5, row_height=34),
    "narrow": Sheet(width=360, height=300, letters=13, labels=4, row_height=34),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One color of bars: its word and a number for each label."""

    word: str
    color: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn: labels along one side and the bars over them; `say_value` writes a number.

    `is_lying`: bars lie, each with its own color and its number at the end; else they stand, stacked.
    """

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    say_value: Callable[[float], str]
    is_lying: bool = False
    colors: Sequence[str] = field(default=())


def draw(drawing: Drawing, size: Size) -> bytes:
    """The picture as UTF-8 SVG."""
    sheet = SHEETS[size]
    chart = _lying(drawing, sheet) if drawing.is_lying else _standing(drawing, sheet)
    root: Element = chart.render_tree()
    drop_what_acts(root)
    paint(root, [series.color for series in drawing.series], sheet.letters)
    if drawing.is_lying:
        _put_numbers_behind_bars(root)
    else:
        _lower_legend(root)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {sheet.width} {picture_height(drawing, size)}",
        "role": "img",
        "font-family": theme.FONT,
    }
    title = Element("title")
    title.text = drawing.title
    root.insert(0, title)
    picture: bytes = tostring(root, encoding="utf-8")
    return picture


def picture_height(drawing: Drawing, size: Size) -> int:
    """CSS pixels; a chart of lying bars is as high as it has bars."""
    sheet = SHEETS[size]
    return (
        sheet.row_height * max(1, len(drawing.labels)) + 20 if drawing.is_lying else sheet.height + LEGEND_GAP
    )


def _standing(drawing: Drawing, sheet: Sheet) -> pygal.StackedBar:
    every = max(1, -(-len(drawing.labels) // sheet.labels))
    chart = pygal.StackedBar(
        **_common(drawing, sheet, sheet.height),
        show_legend=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=min(len(drawing.series), 2 if sheet.width < 500 else 4),
        legend_box_size=12,
        show_minor_x_labels=False,
        x_labels_major_every=every,
        truncate_label=-1,
        spacing=4,
        margin_top=12,
    )
    chart.x_labels = drawing.labels
    chart.y_labels = round_steps(*_reach(drawing.series))
    for series in drawing.series:
        chart.add(series.word, list(series.values))
    return chart


def round_steps(low: float, high: float) -> list[int]:
    """Where lines of the grid go, at most 2 + STEPS_MAX: 1, 2 or 5 of a power of ten apart, zero among them.

    Below zero only from half a step on: what hangs there shall not push the rest together.
    """
    step = 1
    while (high - low) / step > STEPS_MAX:
        # 1, 2, 5, 10, ...: a step whose first digit is 2 grows by 2.5.
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    first, last = math.floor(low / step + 0.5), math.ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _reach(series: Sequence[Series]) -> tuple[float, float]:
    """The lowest and the highest point of stacked bars, zero within."""
    columns = list(zip(*(one.values for one in series), strict=True))
    lows = [sum(value for value in column if value < 0) for column in columns]
    highs = [sum(value for value in column if value > 0) for column in columns]
    return min([0, *lows]), max([0, *highs])


def _lying(drawing: Drawing, sheet: Sheet) -> pygal.HorizontalBar:
    (series,) = drawing.series
    height = sheet.row_height * max(1, len(drawing.labels)) + 20
    chart = pygal.HorizontalBar(
        **_common(drawing, sheet, height),
        show_legend=False,
        print_values=True,
        print_values_position="bottom",
        show_x_labels=False,
        truncate_label=-1,
        show_x_guides=False,
        show_y_guides=False,
        # Room for the number behind the longest bar.
        range=(0, max(series.values, default=0) * (1.18 if sheet.width > 500 else 1.4) or 1),
        margin_top=0,
    )
    # pygal draws the first one at the bottom.
    chart.x_labels = list(reversed(drawing.labels))
    colors = list(drawing.colors) or [series.color] * len(series.values)
    chart.add(
        series.word,
        [
            {"value": value, "color": color}
            for value, color in reversed(list(zip(series.values, colors, strict=True)))
        ],
    )
    return chart


def _common(drawing: Drawing, sheet: Sheet, height: int) -> dict[str, object]:
    return {
        "js": [],
        "no_prefix": True,
        "disable_xml_declaration": True,
        "width": sheet.width,
        "height": height,
        "margin": 4,
        "value_formatter": drawing.say_value,
        "style": Style(
            colors=tuple(series.color for series in drawing.series),
            label_font_size=sheet.letters,
            major_label_font_size=sheet.letters,
            legend_font_size=sheet.letters,
            value_font_size=sheet.letters,
        ),
    }


def _put_numbers_behind_bars(root: Element) -> None:
    # pygal has them in the middle of the bar, where a short bar has no room.
    bars = [one for one in root.iter("rect") if "rect" in one.get("class", "").split()]
    numbers = [one for one in root.iter("text") if "value" in one.get("class", "").split()]
    for bar, number in zip(bars, numbers, strict=True):
        number.set("x", str(float(bar.get("x", "0")) + float(bar.get("width", "0")) + 8))
        number.set("text-anchor", "start")


def _lower_legend(root: Element) -> None:
    # pygal has it at the heels of the labels.
    for group in root.iter("g"):
        if "legends" in group.get("class", "").split():
            for part in (*group.iter("rect"), *group.iter("text")):
                part.set("y", str(float(part.get("y", "0")) + LEGEND_GAP))
