"""A day of a hall laid out as a row of cells: closed, free, past and taken, side by side without a gap.

Pure. The page makes a table of it, whose columns are `unit_minutes` long: cells span as many as they last, so
no cell needs a style of its own. Columns are counted in time that passes: a day on which the clock changes
has 23 or 25 hours, and an hour that comes twice has two columns' heads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Literal

from admin_api.bookings.days import within
from admin_api.bookings.views import Taken
from booking.rules.calendar import Span

HOUR_MINUTES: Final = 60
# A column is as long as the finest edge needs; no hall has a finer grid than the last.
UNITS: Final = (30, 15, 10, 5)
# What is shown of a day when no hall is open and nobody comes.
HOURS_OTHERWISE: Final = (9, 21)
NOW_SCALE: Final = 1000

CellKind = Literal["closed", "past", "free", "taken"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, its time, and how many columns it spans; `taken` when somebody has it."""

    kind: CellKind
    span: Span
    columns: int
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The head over an hour: when it begins and how many columns it spans."""

    starts_at: datetime
    columns: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """What of a day is drawn, and how long a column is."""

    span: Span
    unit_minutes: int

    @property
    def columns(self) -> int:
        return self.column_of(self.span.ends_at)

    def column_of(self, at: datetime) -> int:
        """The column that `at` is in; before and after the sheet, its ends."""
        kept = min(max(at, self.span.starts_at), self.span.ends_at)
        return (kept - self.span.starts_at) // timedelta(minutes=self.unit_minutes)

    def at(self, column: int) -> datetime:
        return self.span.starts_at + timedelta(minutes=column * self.unit_minutes)

    def heads(self) -> list[Head]:
        per_hour = HOUR_MINUTES // self.unit_minutes
        return [
            Head(self.at(column), min(per_hour, self.columns - column))
            for column in range(0, self.columns, per_hour)
        ]

    def now_mark(self, now: datetime) -> int | None:
        """Where the present is, in thousandths of the width; None outside."""
        if not self.span.starts_at <= now < self.span.ends_at:
            return None
        return int((now - self.span.starts_at) / (self.span.ends_at - self.span.starts_at) * NOW_SCALE)


def sheet_of(day: Span, open_spans: Sequence[Span], taken: Sequence[Taken], steps: Iterable[int]) -> Sheet:
    """The hours of a day from the first to the last in which a hall is open or somebody comes.

    `steps`: minutes of the halls' grids; every one of them begins with a column.
    """
    spans = within([Span(one.starts_at, one.ends_at) for one in taken], day)
    visits = within([Span(one.starts_at, one.ends_at) for one in taken if one.booking_id], day)
    shown = [*within(open_spans, day), *visits]
    hour = timedelta(hours=1)
    first, last = (day.starts_at + hour * number for number in HOURS_OTHERWISE)
    if shown:
        first = min(span.starts_at for span in shown)
        last = max(span.ends_at for span in shown)
    starts_at = day.starts_at + (first - day.starts_at) // hour * hour
    ends_at = min(day.ends_at, day.starts_at - (day.starts_at - last) // hour * hour)
    sheet = Span(starts_at, ends_at)
    edges = {edge for one in within([*shown, *spans], sheet) for edge in (one.starts_at, one.ends_at)}
    steps_begin = {starts_at + timedelta(minutes=step) for step in steps}
    return Sheet(sheet, _unit_for(starts_at, {*edges, *steps_begin, ends_at}))


def aligned(days: Sequence[Span], sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets of several days from and to the same hour, as far as each day has it."""
    first = min(sheet.span.starts_at - day.starts_at for day, sheet in zip(days, sheets, strict=True))
    last = max(sheet.span.ends_at - day.starts_at for day, sheet in zip(days, sheets, strict=True))
    unit = min(sheet.unit_minutes for sheet in sheets)
    return [Sheet(Span(day.starts_at + first, min(day.starts_at + last, day.ends_at)), unit) for day in days]


def lay_out(
    sheet: Sheet, open_spans: Sequence[Span], taken: Sequence[Taken], now: datetime, cell_minutes: int | None
) -> list[Cell]:
    """A hall's row. Free time is cut into cells of `cell_minutes`, unless None, from the sheet's begin on.

    `taken` in their order, none over another. One shorter than a column has a whole one.
    """
    cells: list[Cell] = []
    at = 0
    for one in taken:
        if one.ends_at <= sheet.span.starts_at or one.starts_at >= sheet.span.ends_at:
            continue
        start = max(at, sheet.column_of(one.starts_at))
        end = max(start + 1, sheet.column_of(one.ends_at))
        cells += _empty(sheet, at, start, open_spans, now, cell_minutes)
        cells.append(Cell("taken", Span(one.starts_at, one.ends_at), end - start, one))
        at = end
    cells += _empty(sheet, at, sheet.columns, open_spans, now, cell_minutes)
    return cells


def _empty(
    sheet: Sheet,
    first: int,
    last: int,
    open_spans: Sequence[Span],
    now: datetime,
    cell_minutes: int | None,
) -> Iterator[Cell]:
    """What nobody has from one column to another, in runs of one kind."""

    def kind_of(column: int) -> tuple[CellKind, int]:
        at = sheet.at(column)
        if not any(span.starts_at <= at < span.ends_at for span in open_spans):
            return "closed", 0
        if at < now:
            return "past", 0
        return "free", column * sheet.unit_minutes // cell_minutes if cell_minutes else 0

    for (kind, _), run in groupby(range(first, last), kind_of):
        columns = list(run)
        yield Cell(kind, Span(sheet.at(columns[0]), sheet.at(columns[-1] + 1)), len(columns))


def _unit_for(starts_at: datetime, edges: set[datetime]) -> int:
    offsets = [edge - starts_at for edge in edges]
    fits = (unit for unit in UNITS if not any(offset % timedelta(minutes=unit) for offset in offsets))
    return next(fits, UNITS[-1])
