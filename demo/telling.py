"""How the story is shown: a table that fills itself on a terminal, plain lines anywhere else.

Called by `demo.__main__` only.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from demo.told import Told

REFRESH_PER_SECOND = 10
PLAIN_TITLE_WIDTH = 26


@dataclass
class _Row:
    title: str
    began_at: float
    milliseconds: int | None = None
    told: Told | None = None
    failed: bool = False


class Telling:
    """The story so far. Steps are begun and ended one by one."""

    def __init__(self, console: Console, titles: Sequence[str]) -> None:
        self._console = console
        self._titles = titles
        self._rows: list[_Row] = []
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=REFRESH_PER_SECOND)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begin(self) -> None:
        """The next step."""
        self._rows.append(_Row(self._titles[len(self._rows)], time.monotonic()))

    def end(self, told: Told | None) -> None:
        """The step that was begun last; None = it failed."""
        row = self._rows[-1]
        row.milliseconds = round((time.monotonic() - row.began_at) * 1000)
        row.told, row.failed = told, told is None
        if not self._console.is_terminal:
            self._console.print(_line(row), markup=False, highlight=False, soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
        table.add_column("", width=1)
        table.add_column("step", no_wrap=True)
        table.add_column("what happened", ratio=1, overflow="fold")
        table.add_column("command", no_wrap=True)
        table.add_column("state")
        table.add_column("ms", justify="right", no_wrap=True)
        for row in self._rows:
            told = row.told or Told("")
            milliseconds = "" if row.milliseconds is None else str(row.milliseconds)
            table.add_row(
                *(self._mark(row), row.title, Text(told.what), Text(told.command, style="green")),
                *(Text(told.states, style="cyan"), Text(milliseconds, style="dim")),
            )
        for title in self._titles[len(self._rows) :]:
            table.add_row("", Text(title, style="dim"))
        return table

    def _mark(self, row: _Row) -> RenderableType:
        if row.milliseconds is None:
            return self._spinner
        return Text("✗", style="red") if row.failed else Text("✓", style="green")


def _line(row: _Row) -> str:
    told = row.told or Told("")
    facts = [told.what, f"[{told.command}]" if told.command else "", told.states]
    said = "  ".join(fact for fact in facts if fact)
    mark = "FAILED" if row.failed else "ok"
    return f"{mark:<7}{row.title:<{PLAIN_TITLE_WIDTH}} {said}  {row.milliseconds} ms"
