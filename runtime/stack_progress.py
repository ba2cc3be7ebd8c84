"""What a person sees while the stack starts: a live line per service, or plain lines without a terminal.

Called by `runtime.stack` only. It is told what happens and decides nothing.
"""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

REFRESH_PER_SECOND = 8
READY = "ready"


@dataclass
class _Line:
    """One service's way: `word` stands beside its name; ended = it will not change any more."""

    started_at: float
    word: str = "starting"
    seconds: float | None = None


class Progress:
    """Lines in the order in which they were begun. Used by one thread; `note` by any."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: dict[str, _Line] = {}
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=REFRESH_PER_SECOND)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begin(self, name: str) -> None:
        """A service begins to start."""
        self._lines[name] = _Line(time.monotonic())

    def note(self, name: str, sentence: str) -> None:
        """Something that takes longer, in a few words."""
        self._lines[name].word = sentence
        if not self._console.is_terminal:
            self._console.print(f"  {name}: {sentence}")

    def end(self, name: str) -> None:
        """The service is ready."""
        line = self._lines[name]
        line.seconds = time.monotonic() - line.started_at
        line.word = READY
        if not self._console.is_terminal:
            self._console.print(f"  {name:<18} {READY} {line.seconds:5.1f} s")

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(min_width=18)
        table.add_column(min_width=8)
        table.add_column(justify="right")
        for name, line in list(self._lines.items()):
            seconds = time.monotonic() - line.started_at if line.seconds is None else line.seconds
            mark = self._spinner if line.seconds is None else Text("✓", style="green")
            table.add_row(mark, name, Text(line.word, style="dim"), f"{seconds:.1f} s")
        return table
