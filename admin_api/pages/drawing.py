"""A state machine with one aggregate's path on it, as SVG to stand inside a page.

Called by the pages of bookings, invoices, payments, refunds and subscriptions, which link
`static/machine.css` and give the drawing a container that may scroll. Pure: it knows no row, no clock and no
language but the words handed in. No style, script or reference ever stands in the text: the pages' content
security policy forbids them, so everything is a presentation attribute or a class, and arrow heads are shapes
and not markers (whose ids would clash when a page shows two attempts).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import NamedTuple

from kit.drawing import Box, Picture, Point, Size, lay_out
from kit.layers import Edge, Lane, list_lanes
from kit.machine import NOWHERE, Machine

# Pixels of the drawing. Browsers differ in fonts: the widths are of the widest one in use (DejaVu Sans).
WORD_SIZE, WORD_WIDTH, WORD_LINE = 13, 9.3, 16
LABEL_SIZE, LABEL_WIDTH, LABEL_LINE = 11, 6.9, 15
PADDING = 9
BADGE_RADIUS, BADGE_SIZE = 7, 9
BADGE_ROOM = 2 * BADGE_RADIUS + 5
STEP_GAP = 4
DOT = Size(14, 14)
HEAD_LENGTH, HEAD_HALF_WIDTH = 8, 4.2

WORD_CHARACTERS = 15
WORD_LINES = 3
LABEL_CHARACTERS = 12
LABEL_LINES = 2
STEPS_ON_LABEL = 3

# A drawing's class tells how wide it is at least, and the stylesheet how far it may shrink before it scrolls.
WIDTH_STEP, WIDEST_STEP = 200, 2000


class Step(NamedTuple):
    """One state event of an aggregate; `at` is the local time as it is to be read."""

    trigger: str
    from_state: str
    to_state: str
    at: str

    @property
    def edge(self) -> Edge:
        return self.trigger, self.from_state, self.to_state


@dataclass(frozen=True, slots=True)
class _Path:
    """What one aggregate's steps mean for the states and edges of its machine."""

    machine: Machine
    steps: Sequence[Step]

    @property
    def current(self) -> str:
        return self.steps[-1].to_state if self.steps else NOWHERE

    def state_classes(self) -> dict[str, str]:
        """`current`, `visited`, `ahead` (it can still come) or `dead`, by state."""
        ahead = _reachable(self.machine, self.current)
        visited = {NOWHERE, *(step.to_state for step in self.steps)}
        kinds = {state: "ahead" if state in ahead else "dead" for state in (NOWHERE, *self.machine.states)}
        return kinds | dict.fromkeys(visited & kinds.keys(), "visited") | {self.current: "current"}

    def edge_classes(self) -> dict[Edge, str]:
        """`taken`, `next` (possible now, guards aside) or `far`, by edge."""
        taken = {step.edge for step in self.steps}
        return {
            edge: "taken" if edge in taken else "next" if edge[1] == self.current else "far"
            for edge in self.machine.edges()
        }

    def numbered(self, lane: Lane, lanes: Mapping[Edge, Lane]) -> list[tuple[int, str]]:
        """The steps along `lane` with their place in the path, counted from 1."""
        return [
            (number, step.at)
            for number, step in enumerate(self.steps, start=1)
            if lanes.get(step.edge) == lane
        ]


@dataclass(frozen=True, slots=True)
class _Label:
    """A lane's trigger and the steps along it: each its place in the path, and the lines of its time."""

    kind: str
    trigger: Sequence[str]
    steps: Sequence[tuple[int, Sequence[str]]]

    @property
    def size(self) -> Size:
        times = [line for _, lines in self.steps for line in lines]
        trigger = max(len(line) for line in self.trigger) * LABEL_WIDTH
        time = max((len(line) for line in times), default=0) * LABEL_WIDTH + BADGE_ROOM
        height = (len(self.trigger) + len(times)) * LABEL_LINE
        if not times:
            return Size(trigger + 6, height + 2)
        return Size(max(trigger, time) + 2 * PADDING, height + 8 + (len(self.steps) - 1) * STEP_GAP)


@dataclass(frozen=True, slots=True)
class _BoxText:
    """A state's word in lines."""

    word: Sequence[str]

    @property
    def height(self) -> int:
        return len(self.word) * WORD_LINE

    @property
    def size(self) -> Size:
        width = max(len(line) * WORD_WIDTH for line in self.word)
        return Size(width + 2 * PADDING, self.height + 14)


def draw(machine: Machine, steps: Sequence[Step], *, words: Mapping[str, str], title: str) -> str:
    """An `<svg>` element of `machine` with the path of `steps`, oldest first, drawn on it.

    `words` translates `<machine>.<state>`, `trigger.<trigger>`, `drawing.then`, `drawing.at` and
    `drawing.nowhere`; what it lacks is shown by its code. Steps that the machine does not declare are told in
    the description and drawn nowhere.
    """
    path = _Path(machine, steps)
    lanes = list_lanes(machine)
    edges = path.edge_classes()
    labels = {lane: _label(lane, path, lanes, edges, words) for lane in dict.fromkeys(lanes.values())}
    texts = {state: _box_text(machine, state, words) for state in machine.states}
    boxes = {state: text.size for state, text in texts.items()} | {NOWHERE: DOT}
    picture = lay_out(machine, boxes, {lane: label.size for lane, label in labels.items()})
    kinds = path.state_classes()
    parts = [
        *_edges(picture, edges),
        *(_label_text(label, picture.labels[lane]) for lane, label in labels.items()),
        _dot(picture.boxes[NOWHERE], kinds[NOWHERE]),
        *(_state(state, kinds[state], text, picture.boxes[state]) for state, text in texts.items()),
    ]
    return _svg(machine.name, picture.size, title, _describe(path, words), parts)


def _reachable(machine: Machine, start: str) -> set[str]:
    reached, fresh = {start}, {start}
    while fresh:
        fresh = {dest for _, source, dest in machine.edges() if source in fresh} - reached
        reached |= fresh
    return reached


def _word(machine: Machine, state: str, words: Mapping[str, str]) -> str:
    return words.get(f"{machine.name}.{state}", state)


def _box_text(machine: Machine, state: str, words: Mapping[str, str]) -> _BoxText:
    word = _word(machine, state, words)
    lines = wrap(word, WORD_CHARACTERS, break_long_words=False, max_lines=WORD_LINES, placeholder="…") or [
        state
    ]
    return _BoxText(lines)


def _label(
    lane: Lane, path: _Path, lanes: Mapping[Edge, Lane], edges: Mapping[Edge, str], words: Mapping[str, str]
) -> _Label:
    """A lane's trigger with its latest steps; as strong as the strongest of its edges."""
    steps = path.numbered(lane, lanes)
    trigger = words.get(f"trigger.{lane.trigger}", lane.trigger)
    if len(steps) > STEPS_ON_LABEL:
        trigger += f" ×{len(steps)}"
    kinds = {kind for edge, kind in edges.items() if lanes[edge] == lane}
    return _Label(
        next(kind for kind in ("taken", "next", "far") if kind in kinds),
        _broken(trigger),
        [(number, _broken(at)) for number, at in steps[-STEPS_ON_LABEL:]],
    )


def _broken(text: str) -> list[str]:
    lines = wrap(text, LABEL_CHARACTERS, break_long_words=False, max_lines=LABEL_LINES, placeholder="…")
    return lines or [text]


def _edges(picture: Picture, kinds: Mapping[Edge, str]) -> Iterable[str]:
    """Every edge once, the taken ones on top."""
    for wanted in ("far", "next", "taken"):
        for (trigger, source, dest), kind in kinds.items():
            if kind == wanted:
                line, head = _arrow(picture.lines[trigger, source, dest])
                yield (
                    f'<g class="edge {kind}" data-trigger="{escape(trigger)}" data-from="{escape(source)}"'
                    f' data-to="{escape(dest)}"><path class="line" fill="none" d="{line}"/>'
                    f'<path class="head" d="{head}"/></g>'
                )


def _arrow(points: Sequence[Point]) -> tuple[str, str]:
    """A line and its head, whose tip is the line's end; the line stops in the head, or would blunt it."""
    *before, handle, tip = points
    away_x = (handle.x > tip.x) - (handle.x < tip.x)
    away_y = 0 if away_x else (handle.y > tip.y) - (handle.y < tip.y)
    base = Point(tip.x + away_x * HEAD_LENGTH, tip.y + away_y * HEAD_LENGTH)
    wing = Point(away_y * HEAD_HALF_WIDTH, away_x * HEAD_HALF_WIDTH)
    inside = Point((base.x + tip.x) / 2, (base.y + tip.y) / 2)
    start, *rest = map(_pair, (*before, handle, inside))
    left, right = Point(base.x - wing.x, base.y - wing.y), Point(base.x + wing.x, base.y + wing.y)
    return f"M{start}C{' '.join(rest)}", f"M{_pair(tip)}L{_pair(left)}L{_pair(right)}Z"


def _pair(point: Point) -> str:
    return f"{_number(point.x)} {_number(point.y)}"


def _label_text(label: _Label, box: Box) -> str:
    """The trigger, and under it the steps that were taken by it: a numbered badge and the time."""
    middle = box.x + box.width / 2
    baseline = box.y + (4 if label.steps else 1) - 3.5
    parts = [_rect("plate", box, 7)]
    for line in label.trigger:
        baseline += LABEL_LINE
        parts.append(_text("trigger", middle, baseline, LABEL_SIZE, line))
    for number, lines in label.steps:
        center = baseline + (len(lines) + 1) * LABEL_LINE / 2 - 4
        parts.append(_badge(box.x + PADDING + BADGE_RADIUS - 2, center, number))
        for line in lines:
            baseline += LABEL_LINE
            parts.append(_text("at", middle + BADGE_ROOM / 2, baseline, LABEL_SIZE, line))
        baseline += STEP_GAP
    return f'<g class="label {label.kind}">{"".join(parts)}</g>'


def _badge(x: float, y: float, number: int) -> str:
    circle = f'<circle class="badge" cx="{_number(x)}" cy="{_number(y)}" r="{BADGE_RADIUS}"/>'
    return circle + _text("number", x, y + 3.2, BADGE_SIZE, str(number))


def _state(state: str, kind: str, text: _BoxText, box: Box) -> str:
    middle, baseline = box.x + box.width / 2, box.y + (box.height - text.height) / 2 - 3
    code = escape(state)
    parts = [f"<title>{code}</title>"]
    if kind == "current":
        parts.append(_rect("halo", Box(box.x - 4, box.y - 4, box.width + 8, box.height + 8), 13))
    parts.append(_rect("box", box, 10))
    for line in text.word:
        baseline += WORD_LINE
        parts.append(_text("word", middle, baseline, WORD_SIZE, line))
    return f'<g class="state state-{code} {kind}" data-state="{code}">{"".join(parts)}</g>'


def _dot(box: Box, kind: str) -> str:
    radius = box.width / 2
    at = f'cx="{_number(box.x + radius)}" cy="{_number(box.y + radius)}"'
    return f'<circle class="nowhere {kind}" {at} r="{_number(radius)}"/>'


def _rect(name: str, box: Box, radius: float) -> str:
    x, y, width, height = map(_number, box)
    return f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def _text(name: str, x: float, y: float, size: float, text: str) -> str:
    return f'<text class="{name}" x="{_number(x)}" y="{_number(y)}" font-size="{size}">{escape(text)}</text>'


def _number(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _describe(path: _Path, words: Mapping[str, str]) -> str:
    """The path in words: "draft at 10:00, then open at 10:02"."""
    if not path.steps:
        return words.get("drawing.nowhere", "not begun")
    then, at = words.get("drawing.then", "then"), words.get("drawing.at", "at")
    told = (f"{_word(path.machine, step.to_state, words)} {at} {step.at}" for step in path.steps)
    return f", {then} ".join(told)


def _svg(name: str, size: Size, title: str, description: str, parts: Iterable[str]) -> str:
    width, height = _number(size.width), _number(size.height)
    least = min(int(size.width) // WIDTH_STEP * WIDTH_STEP, WIDEST_STEP)
    return (
        f'<svg class="machine machine-{escape(name)} over-{least}" role="img" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" text-anchor="middle" font-family="system-ui, sans-serif">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )
