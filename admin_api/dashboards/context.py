"""What the dashboards' templates show: the numbers, each chart as pictures and a table, and the links.

Called by the pages, which bring `say`, `money` and `when` into the templates. The pictures go into the page
itself, as `data:` addresses: drawn from the very rows that the tables show, and nothing is read twice.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from admin_api.dashboards.charts import CHARTS, Chart, Column
from admin_api.dashboards.drawing import SHEETS, Drawing, Size, draw, picture_height
from admin_api.dashboards.periods import PRESETS, Period
from admin_api.dashboards.pictures import DAYS_DRAWN_MAX, code_word, drawings_of, platform_drawings_of
from admin_api.dashboards.platform import PLATFORM_CHARTS, list_users, read_platform
from admin_api.dashboards.reading import LIST_LIMIT, read_dashboard
from admin_api.desk import Desk
from admin_api.pages.formats import date_text, money_text, number_text
from admin_api.pages.words import Language, say
from web.views import View

# Of a longer table the page shows the newest rows; the CSV has all.
TABLE_ROWS_MAX: Final = 100
DASHBOARD_PATH: Final = "/admin/"
PLATFORM_PATH: Final = "/admin/platform"
_BYTES_STEP: Final = 1024
_BYTES_UNITS: Final = ("bytes", "kib", "mib", "gib", "tib")


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing for a screen and for a phone, each a `data:` address, its CSS pixels, and its words."""

    size: Size
    screen: str
    narrow: str
    width: int
    height: int
    narrow_width: int
    narrow_height: int
    words: str


@dataclass(frozen=True, slots=True)
class Table:
    """Head and cells as a person reads them; `is_number` by column; `hidden_rows` are in the CSV only."""

    head: Sequence[str]
    is_number: Sequence[bool]
    rows: Sequence[Sequence[str]]
    hidden_rows: int


@dataclass(frozen=True, slots=True)
class ChartOnPage:
    """A chart by its name. Without a picture there is nothing to draw yet: the page says what to do next."""

    name: str
    pictures: Sequence[Picture]
    table: Table
    csv_href: str | None
    is_weekly: bool


@dataclass(frozen=True, slots=True)
class PresetLink:
    name: str
    href: str
    is_chosen: bool


def dashboard_context(desk: Desk, period: Period, language: Language) -> dict[str, Any]:
    """For `dashboard/dashboard.html`. Raises Problem 403 without `dashboard.read`."""
    board = read_dashboard(desk, period)
    rows_of: dict[str, Sequence[View]] = {name: getattr(board.charts, name) for name in CHARTS}
    return {
        "board": board,
        "charts": _charts(
            CHARTS,
            rows_of,
            drawings_of(board.charts, board.currency, language),
            period,
            language,
            "/admin/dashboard" if desk.person.may("export") else None,
            {},
        ),
        "age": age_text(board.numbers.oldest_unapplied_command_age_seconds, language),
        "ages": {one.command_id: age_text(one.age_seconds, language) for one in board.lists.open_commands},
        "list_limit": LIST_LIMIT,
        **_period_context(period, language, DASHBOARD_PATH, {}),
    }


def platform_context(
    desk: Desk, period: Period, language: Language, studio_id: UUID | None = None
) -> dict[str, Any]:
    """For `dashboard/platform.html`. Raises Problem 403 without `platform.read`, 404 for no such studio."""
    board = read_platform(desk, period, studio_id)
    kept = {"studio_id": str(studio_id)} if studio_id else {}
    return {
        "board": board,
        "users": list_users(desk, studio_id).items,
        "charts": _charts(
            PLATFORM_CHARTS,
            {"payments_by_studio_and_day": board.payments_by_studio_and_day},
            platform_drawings_of(board, period.days, language),
            period,
            language,
            PLATFORM_PATH,
            kept,
        ),
        "database_size": bytes_text(board.numbers.database_bytes, language),
        "volumes": [(one.table, bytes_text(one.bytes, language)) for one in board.volumes],
        "studio_sizes": {one.studio_id: bytes_text(one.bytes_estimate, language) for one in board.studios},
        **_period_context(period, language, PLATFORM_PATH, kept),
    }


def age_text(seconds: int | None, language: Language) -> str:
    """`2 ч`: the largest unit that fits, rounded down; empty for None."""
    if seconds is None:
        return ""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= length:
            return say(language, f"age.{unit}", {"count": seconds // length})
    return say(language, "age.seconds", {"count": seconds})


def bytes_text(size: int, language: Language) -> str:
    """`1,7 ГиБ`."""
    amount, unit = float(size), 0
    while amount >= _BYTES_STEP and unit < len(_BYTES_UNITS) - 1:
        amount, unit = amount / _BYTES_STEP, unit + 1
    number = f"{amount:.1f}" if unit else str(size)
    written = number.replace(".", ",") if language == "ru" else number
    return f"{written}\u00a0{say(language, f'unit.{_BYTES_UNITS[unit]}')}"


def _period_context(period: Period, language: Language, path: str, kept: Mapping[str, str]) -> dict[str, Any]:
    presets = [
        PresetLink(name, f"{path}?{urlencode({**kept, 'preset': name})}", name == period.preset)
        for name in PRESETS
    ]
    days = {"from": date_text(period.from_on, language), "to": date_text(period.to_on, language)}
    return {
        "period": period,
        "period_words": days,
        "presets": presets,
        "path": path,
        "kept": kept,
        "number_of": partial(number_text, language=language),
    }


def _charts(
    charts: Mapping[str, Chart],
    rows_of: Mapping[str, Sequence[View]],
    drawings: Mapping[str, Sequence[Drawing]],
    period: Period,
    language: Language,
    csv_path: str | None,
    kept: Mapping[str, str],
) -> list[ChartOnPage]:
    asked = urlencode({**kept, "from": str(period.from_on), "to": str(period.to_on)})
    return [
        ChartOnPage(
            name=name,
            # The first has the page's width, the others stand in pairs.
            pictures=[
                _picture(one, "half" if number else "wide") for one in drawings[name] if _has_something(one)
            ],
            table=_table(chart, rows_of[name], language),
            csv_href=f"{csv_path}/{name}.csv?{asked}" if csv_path else None,
            is_weekly=name.endswith("_day") and len(period.days) > DAYS_DRAWN_MAX,
        )
        for number, (name, chart) in enumerate(charts.items())
    ]


def _has_something(drawing: Drawing) -> bool:
    return any(value for series in drawing.series for value in series.values)


def _picture(drawing: Drawing, size: Size) -> Picture:
    return Picture(
        size=size,
        screen=_data_address(draw(drawing, size)),
        narrow=_data_address(draw(drawing, "narrow")),
        width=SHEETS[size].width,
        height=picture_height(drawing, size),
        narrow_width=SHEETS["narrow"].width,
        narrow_height=picture_height(drawing, "narrow"),
        words=_words_of(drawing),
    )


def _words_of(drawing: Drawing) -> str:
    """What somebody who does not see the picture is told: each bar, or each color's sum."""
    if drawing.is_lying:
        values = zip(drawing.labels, drawing.series[0].values, strict=True)
        said = [f"{label} {drawing.say_value(value)}" for label, value in values]
    else:
        said = [f"{one.word} {drawing.say_value(abs(sum(one.values)))}" for one in drawing.series]
    return f"{drawing.title}: {', '.join(said)}"


def _data_address(picture: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(picture).decode()}"


def _table(chart: Chart, rows: Sequence[View], language: Language) -> Table:
    # Days are told from the last one back: that is what is looked for.
    is_by_day = chart.columns[0].kind == "day"
    ordered = list(reversed(rows)) if is_by_day else list(rows)
    return Table(
        head=[say(language, f"chart.column.{column.name}") for column in chart.columns],
        is_number=[column.kind in ("count", "money") for column in chart.columns],
        rows=[[_cell(column, row, language) for column in chart.columns] for row in ordered[:TABLE_ROWS_MAX]],
        hidden_rows=max(0, len(ordered) - TABLE_ROWS_MAX),
    )


def _cell(column: Column, row: View, language: Language) -> str:
    value = getattr(row, column.name)
    match column.kind:
        case "day":
            return date_text(value, language)
        case "count":
            return number_text(value, language)
        case "money":
            return money_text(value, getattr(row, "currency", ""), language)
        case "code":
            return code_word(column.name, value, language)
        case "name":
            return str(value)
