"""The board of halls as the template draws it: a table for each day, a row for each hall, cells with words.

Called by `pages`. What a cell spans is in columns, so the page needs no styles of its own; its words are in
the cell, in its label for who does not see the cell, and never in its color alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from starlette.requests import Request

from admin_api.actions.local_times import write_local
from admin_api.bookings import links
from admin_api.bookings.days import Days, within
from admin_api.bookings.laying import Cell, Sheet, aligned, lay_out, sheet_of
from admin_api.bookings.views import HallTime, Taken, Timeline
from admin_api.pages.doors import language_of
from admin_api.pages.frame import tell
from booking.rules.calendar import Span

Scale = Literal["day", "week"]

# Free time is offered in pieces of so many minutes; of many halls, in longer ones; in a week, in one piece.
CELL_MINUTES: Final = 30
CELL_MINUTES_OF_MANY: Final = 60
MANY_HALLS: Final = 30
# What lasts no longer has no room for its end and the word for its state: their sign is there, and the label.
SHORT_MINUTES: Final = 60
# The kinds of what is taken, told apart by color, sign and word.
ICONS: Final = {
    "held": "fa-hand",
    "awaiting_payment": "fa-hourglass-half",
    "confirmed": "fa-check",
    "completed": "fa-flag-checkered",
    "blackout": "fa-ban",
    "external": "fa-calendar",
}


@dataclass(frozen=True, slots=True)
class CellOnPage:
    """`state` is a key of ICONS, or the kind of an empty cell. `lines`: from, until, who, and how it stands.

    `is_short`: there is no room for all of it.
    """

    state: str
    column: int
    columns: int
    label: str
    href: str | None = None
    lines: tuple[str, ...] = ()
    icon: str = ""
    deadline: datetime | None = None
    move: str | None = None
    visit: Span | None = None
    is_short: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.icon


@dataclass(frozen=True, slots=True)
class RowOnPage:
    """A hall on a day. `step` is its grid in columns, `least` its shortest visit."""

    hall: HallTime
    step: int
    least: int
    cells: Sequence[CellOnPage]


@dataclass(frozen=True, slots=True)
class DayOnPage:
    """A day's table. `times` are the local times at which columns begin, and where the last one ends."""

    on: date
    title: str
    short_title: str
    is_today: bool
    sheet: Sheet
    hours: int
    heads: Sequence[tuple[str, int]]
    times: Sequence[str]
    now_mark: int | None
    rows: Sequence[RowOnPage]


def days_on_page(request: Request, timeline: Timeline, days: Days, scale: Scale) -> list[DayOnPage]:
    """A table for each day."""
    boards = [_Board(request, timeline, days, scale, on) for on in days.dates]
    sheets = aligned([board.window for board in boards], [board.sheet() for board in boards])
    return [board.day(sheet) for board, sheet in zip(boards, sheets, strict=True)]


class _Board:
    """One day of the timeline, in the person's language."""

    def __init__(self, request: Request, timeline: Timeline, days: Days, scale: Scale, on: date) -> None:
        self.request = request
        self.timeline = timeline
        self.on = on
        self.zone = days.zone
        self.window = days.span_of(on)
        self.is_today = on == days.calendar.today
        self.scale = scale
        self.halls = [(hall, _open(hall, self.window), _taken(hall, self.window)) for hall in timeline.halls]
        is_many = len(timeline.halls) > MANY_HALLS
        cell_minutes = CELL_MINUTES_OF_MANY if is_many else CELL_MINUTES
        self.cell_minutes = cell_minutes if scale == "day" else None
        self.book = links.action_path(request, links.BOOK)

    def sheet(self) -> Sheet:
        """What of the day is worth drawing."""
        return sheet_of(
            self.window,
            [span for _, is_open, _ in self.halls for span in is_open],
            [one for _, _, taken in self.halls for one in taken],
            {hall.step_minutes for hall, _, _ in self.halls},
        )

    def day(self, sheet: Sheet) -> DayOnPage:
        timezone = self.zone.key
        return DayOnPage(
            on=self.on,
            title=day_text(self.request, self.on),
            short_title=format_date(self.on, "EEE, d MMM", locale=language_of(self.request)),
            is_today=self.is_today,
            sheet=sheet,
            hours=-(-sheet.span.minutes // 60),
            heads=[(self._hour(head.starts_at), head.columns) for head in sheet.heads()],
            times=[write_local(timezone, sheet.at(column)) for column in range(sheet.columns + 1)],
            now_mark=sheet.now_mark(self.timeline.as_of),
            rows=[self._row(sheet, *hall) for hall in self.halls],
        )

    def _row(self, sheet: Sheet, hall: HallTime, is_open: list[Span], taken: list[Taken]) -> RowOnPage:
        cells = lay_out(sheet, is_open, taken, self.timeline.as_of, self.cell_minutes)
        placed: list[CellOnPage] = []
        column = 0
        for cell in cells:
            placed.append(self._cell(hall, cell, column, sheet))
            column += cell.columns
        return RowOnPage(
            hall=hall,
            step=_step(hall, sheet),
            least=max(1, hall.minutes_min // sheet.unit_minutes),
            cells=placed,
        )

    def _cell(self, hall: HallTime, cell: Cell, column: int, sheet: Sheet) -> CellOnPage:
        if cell.taken is not None:
            return self._block(hall, cell.taken, column, cell.columns)
        facts = {"hall": hall.name, "time": span_text(self.request, cell.span, self.window, self.zone)}
        label = tell(self.request, f"board.{cell.kind}", facts)
        if cell.kind != "free":
            return CellOnPage(cell.kind, column, cell.columns, label)
        starts_at = sheet.at(-(-column // _step(hall, sheet)) * _step(hall, sheet))
        length = timedelta(minutes=max(hall.minutes_min, self.cell_minutes or 0))
        href = links.with_time(self.request, self.book, hall.hall_id, Span(starts_at, starts_at + length))
        return CellOnPage(cell.kind, column, cell.columns, label, href)

    def _block(self, hall: HallTime, taken: Taken, column: int, columns: int) -> CellOnPage:
        state = taken.state or taken.kind
        key = f"state.booking.{state}" if taken.state else f"board.kind.{state}"
        visit = Span(taken.visit_starts_at, taken.visit_ends_at)
        time = span_text(self.request, visit, self.window, self.zone)
        word = shown = tell(self.request, key)
        if taken.hold_expires_at is not None:
            until = {"at": clock_text(self.request, taken.hold_expires_at, self.window, self.zone)}
            shown = tell(self.request, "board.until", until)
            word = f"{word} {shown}"
        who = taken.customer or taken.note
        facts = {"hall": hall.name, "time": time, "who": who, "state": word, "count": taken.people or 0}
        about = "board.booking" if taken.booking_id else "board.closure" if who else "board.closure.bare"
        return CellOnPage(
            state=state,
            column=column,
            columns=columns,
            label=tell(self.request, about, facts),
            href=links.taken_path(self.request, taken),
            lines=(*time.split("–"), who, shown),
            icon=ICONS[state],
            deadline=taken.hold_expires_at,
            move=links.move_path(self.request, taken),
            visit=visit,
            is_short=self.scale == "week" or visit.minutes <= SHORT_MINUTES,
        )

    def _hour(self, at: datetime) -> str:
        """`02:00`; with its offset on a day on which the clock changes."""
        local = at.astimezone(self.zone)
        is_changed = self.window.minutes != timedelta(days=1) // timedelta(minutes=1)
        return f"{local:%H:%M}{local:%z}"[: 5 if not is_changed else 8]


def span_text(request: Request, span: Span, day: Span, zone: ZoneInfo) -> str:
    """`10:00–11:30`; with dates where it reaches beyond the day."""
    ends = "24:00" if span.ends_at == day.ends_at else clock_text(request, span.ends_at, day, zone)
    return f"{clock_text(request, span.starts_at, day, zone)}–{ends}"


def clock_text(request: Request, at: datetime, day: Span, zone: ZoneInfo) -> str:
    """`10:00`; on another day with its date."""
    local = at.astimezone(zone)
    if day.starts_at <= at < day.ends_at:
        return f"{local:%H:%M}"
    return str(format_datetime(local, "d MMM HH:mm", locale=language_of(request)))


def day_text(request: Request, on: date) -> str:
    """`суббота, 21 ноября`."""
    pattern = "EEEE, d MMMM" if language_of(request) == "ru" else "EEEE, MMMM d"
    return str(format_date(on, pattern, locale=language_of(request)))


def _step(hall: HallTime, sheet: Sheet) -> int:
    """The hall's grid in columns."""
    return max(1, hall.step_minutes // sheet.unit_minutes)


def _open(hall: HallTime, day: Span) -> list[Span]:
    return within([Span(span.starts_at, span.ends_at) for span in hall.open], day)


def _taken(hall: HallTime, day: Span) -> list[Taken]:
    return [one for one in hall.taken if one.starts_at < day.ends_at and one.ends_at > day.starts_at]
