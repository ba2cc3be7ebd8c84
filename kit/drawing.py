"""Where the boxes, lines and labels of a state machine's picture stand: a layered layout, left to right.

Called by the admin's pages, which turn it into SVG and know what the colors mean. Pure: no fonts, no words,
no SVG here; whoever calls measures the texts and passes sizes in. The same machine and sizes always give the
same picture.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from kit.heights import PORT_GAP, Extents, Ports, find_middles, list_ports
from kit.layers import Arrangement, Edge, Lane, Place, Way, arrange
from kit.machine import Machine

# All in the picture's own pixels.
COLUMN_GAP = 28.0
MARGIN = 8.0
LOOP_HEIGHT = 24.0
LOOP_HALF_WIDTH = 20.0
CROWN_GAP = 1.0


class Size(NamedTuple):
    width: float
    height: float


NOTHING = Size(0, 0)


class Point(NamedTuple):
    x: float
    y: float


class Box(NamedTuple):
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A laid out machine. A line is its first point, then three points for each cubic Bezier curve."""

    size: Size
    boxes: Mapping[str, Box]
    labels: Mapping[Lane, Box]
    lines: Mapping[Edge, Sequence[Point]]


@dataclass(frozen=True, slots=True)
class _Grid:
    """The columns' left edges and widths, the places' middles, and where links touch boxes."""

    lefts: Sequence[float]
    widths: Sequence[float]
    middles: Mapping[Place, float]
    ports: Ports

    def box(self, place: Place, width: float, height: float) -> Box:
        x = self.lefts[place.column] + (self.widths[place.column] - width) / 2
        return Box(x, self.middles[place] - height / 2, width, height)

    def right(self, column: int) -> float:
        return self.lefts[column] + self.widths[column]


def lay_out(machine: Machine, boxes: Mapping[str, Size], labels: Mapping[Lane, Size]) -> Picture:
    """The picture of `machine` with boxes of these sizes by state (`NOWHERE` too) and labels by lane.

    Boxes of one column come out equally wide, and taller than asked where many lines meet them.
    """
    plan = arrange(machine)
    seats = {
        place.holds: place for column in plan.columns for place in column if isinstance(place.holds, str)
    }
    beside = {place.holds: place for *_, place, _ in plan.routes.values() if isinstance(place.holds, Lane)}
    loops = {
        state: [lane for lane in labels if lane.way is Way.LOOP and lane.dest == state]
        for state in {lane.dest for lane in labels if lane.way is Way.LOOP}
    }
    sizes = {seat: _roomy(seat, boxes[state], plan) for state, seat in seats.items()}
    sizes |= {place: labels[lane] for lane, place in beside.items()}
    crowns = {seats[state]: _stacked([labels[lane] for lane in on]) for state, on in loops.items()}
    extents = _extents(plan, sizes, crowns)
    grid = _grid(plan, sizes | _broader(sizes, crowns), extents)
    stand = {
        state: grid.box(seat, grid.widths[seat.column], sizes[seat].height) for state, seat in seats.items()
    }
    signs = {lane: grid.box(place, *labels[lane]) for lane, place in beside.items()}
    lines = {edge: _line(route, grid) for edge, route in plan.routes.items()}
    for state, on in loops.items():
        signs |= _loop_labels(stand[state], {lane: labels[lane] for lane in on})
        lines |= {(lane.trigger, state, state): _loop(stand[state]) for lane in on}
    bottom = max(grid.middles[place] + below for place, (_, below) in extents.items())
    return Picture(Size(grid.right(-1) + MARGIN, bottom + MARGIN), stand, signs, lines)


def _stacked(labels: Sequence[Size]) -> Size:
    return Size(max(label.width for label in labels), sum(label.height for label in labels))


def _roomy(seat: Place, size: Size, plan: Arrangement) -> Size:
    """A box no lower than the lines on its busier side need."""
    sides = Counter(other.column for other in plan.neighbors[seat])
    return Size(size.width, max(size.height, PORT_GAP * (max(sides.values(), default=0) - 1)))


def _broader(sizes: Mapping[Place, Size], crowns: Mapping[Place, Size]) -> dict[Place, Size]:
    """The boxes under loops, as broad as the labels on top."""
    return {
        seat: Size(max(sizes[seat].width, label.width), sizes[seat].height) for seat, label in crowns.items()
    }


def _extents(plan: Arrangement, sizes: Mapping[Place, Size], crowns: Mapping[Place, Size]) -> Extents:
    """How far each place reaches above and below its middle, the loops on top of boxes counted in."""
    extents = {}
    for place in (place for column in plan.columns for place in column):
        half = sizes.get(place, NOTHING).height / 2
        crown = LOOP_HEIGHT + CROWN_GAP + crowns[place].height if place in crowns else 0.0
        extents[place] = (half + crown, half)
    return extents


def _grid(plan: Arrangement, sizes: Mapping[Place, Size], extents: Extents) -> _Grid:
    widths = [max(sizes.get(place, NOTHING).width for place in column) for column in plan.columns]
    lefts = list(accumulate((width + COLUMN_GAP for width in widths[:-1]), initial=MARGIN))
    middles = {place: y + MARGIN for place, y in find_middles(plan, extents).items()}
    return _Grid(lefts, widths, middles, list_ports(plan, middles))


def _line(route: Sequence[Place], grid: _Grid) -> list[Point]:
    """Level inside the columns, curved between them, from the first box's side to the last one's."""
    points: list[Point] = []
    for here, there in pairwise(route):
        forward = here.column < there.column
        start = Point(
            grid.right(here.column) if forward else grid.lefts[here.column],
            grid.middles[here] + grid.ports.get((here, there), 0.0),
        )
        end = Point(
            grid.lefts[there.column] if forward else grid.right(there.column),
            grid.middles[there] + grid.ports.get((there, here), 0.0),
        )
        points += _curve(points[-1], start) if points else [start]
        points += _curve(start, end)
    return points


def _curve(start: Point, end: Point) -> list[Point]:
    """Two handles and the end of a curve that leaves and arrives level."""
    middle = (start.x + end.x) / 2
    return [Point(middle, start.y), Point(middle, end.y), end]


def _loop(box: Box) -> list[Point]:
    """Out of the box's top and back into it."""
    middle, top = box.x + box.width / 2, box.y - LOOP_HEIGHT * 4 / 3
    left, right = middle - LOOP_HALF_WIDTH, middle + LOOP_HALF_WIDTH
    return [Point(left, box.y), Point(left, top), Point(right, top), Point(right, box.y)]


def _loop_labels(box: Box, labels: Mapping[Lane, Size]) -> dict[Lane, Box]:
    """On the crown of the loop that all loops of a box share, the first on top."""
    placed, y = {}, box.y - LOOP_HEIGHT - CROWN_GAP - _stacked(list(labels.values())).height
    for lane, size in labels.items():
        placed[lane] = Box(box.x + (box.width - size.width) / 2, y, *size)
        y += size.height
    return placed
