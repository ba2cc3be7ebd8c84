"""Who stands in which column of a state machine's picture, and in which order: ranks, lanes, few crossings.

Called by `kit.drawing`, which gives the columns their sizes. Pure, and of the machine alone.

States stand in even columns by their longest way from nowhere, labels in the odd columns between. Edges with
the same trigger and target share a *lane* (one label, one arrow head), and a lane has a place of its own in
every column that it passes. So lines meet boxes only at their ends, and labels cannot lie on anything.
Source: Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System Structures" (1981).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations, pairwise
from typing import NamedTuple

from kit.machine import NOWHERE, Machine

ORDER_SWEEPS = 24
MACHINES_REMEMBERED = 16

Edge = tuple[str, str, str]
"""(trigger, from_state, to_state)"""


class Way(StrEnum):
    FORWARD = "forward"
    BACK = "back"
    LOOP = "loop"


class Lane(NamedTuple):
    """What the edges of one trigger to one state have in common: one label and one arrow head."""

    trigger: str
    dest: str
    way: Way


class Place(NamedTuple):
    """One seat in one column: a state's box, or where a lane passes."""

    column: int
    holds: str | Lane


Link = tuple[Place, Place]
"""Two places joined by a line, in neighboring columns, the left one first."""

Neighbors = Mapping[Place, Sequence[Place]]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Places by column from top to bottom; the places on every edge's way, loops aside."""

    columns: Sequence[Sequence[Place]]
    routes: Mapping[Edge, Sequence[Place]]
    neighbors: Neighbors


def list_lanes(machine: Machine) -> dict[Edge, Lane]:
    """The lane of every edge, in the table's order."""
    back = _back_pairs(machine)

    def way(source: str, dest: str) -> Way:
        if source == dest:
            return Way.LOOP
        return Way.BACK if (source, dest) in back else Way.FORWARD

    return {edge: Lane(edge[0], edge[2], way(*edge[1:])) for edge in machine.edges()}


@lru_cache(maxsize=MACHINES_REMEMBERED)
def arrange(machine: Machine) -> Arrangement:
    """The columns of `machine`: the same for every aggregate, so a longer path moves nothing."""
    lanes = list_lanes(machine)
    ranks = _ranks(machine, lanes)
    routes = {
        edge: _route(lane, edge[1], 2 * ranks[edge[1]], 2 * ranks[lane.dest])
        for edge, lane in lanes.items()
        if lane.way is not Way.LOOP
    }
    states = [Place(2 * rank, state) for state, rank in ranks.items()]
    places = list(dict.fromkeys([*states, *(place for route in routes.values() for place in route)]))
    pairs = [pair for route in routes.values() for pair in pairwise(route)]
    links = list(dict.fromkeys((min(pair, key=_column), max(pair, key=_column)) for pair in pairs))
    last = max(place.column for place in places)
    columns = [[place for place in places if place.column == column] for column in range(last + 1)]
    neighbors = _neighbors(links)
    return Arrangement(_order(columns, links, neighbors), routes, neighbors)


def _back_pairs(machine: Machine) -> set[tuple[str, str]]:
    """The pairs that close a circle, found depth first in the table's order."""
    leaving: defaultdict[str, list[str]] = defaultdict(list)
    for _, source, dest in machine.edges():
        leaving[source].append(dest)
    back: set[tuple[str, str]] = set()
    left: set[str] = set()

    def visit(trail: tuple[str, ...]) -> None:
        for dest in leaving[trail[-1]]:
            if dest in trail:
                back.add((trail[-1], dest))
            elif dest not in left:
                visit((*trail, dest))
        left.add(trail[-1])

    for state in (NOWHERE, *machine.states):
        if state not in left:
            visit((state,))
    return back


def _ranks(machine: Machine, lanes: Mapping[Edge, Lane]) -> dict[str, int]:
    """The longest way from nowhere to each state, circles cut."""
    ranks = {NOWHERE: 0} | dict.fromkeys(machine.states, 1)
    for _ in machine.states:
        for (_, source, dest), lane in lanes.items():
            if lane.way is Way.FORWARD:
                ranks[dest] = max(ranks[dest], ranks[source] + 1)
    return ranks


def _route(lane: Lane, source: str, start: int, end: int) -> list[Place]:
    stride = 1 if start < end else -1
    passed = [Place(column, lane) for column in range(start + stride, end, stride)]
    return [Place(start, source), *passed, Place(end, lane.dest)]


def _column(place: Place) -> int:
    return place.column


def _neighbors(links: Sequence[Link]) -> Neighbors:
    neighbors: defaultdict[Place, list[Place]] = defaultdict(list)
    for left, right in links:
        neighbors[left].append(right)
        neighbors[right].append(left)
    return neighbors


def _order(
    columns: list[list[Place]], links: Sequence[Link], neighbors: Neighbors
) -> Sequence[Sequence[Place]]:
    """The columns in the order with the fewest crossings that barycenter sweeps find."""
    best, fewest = columns, _crossings(columns, links)
    for sweep in range(ORDER_SWEEPS):
        columns = _sweep(columns, neighbors, 1 if sweep % 2 == 0 else -1)
        crossings = _crossings(columns, links)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _sweep(columns: list[list[Place]], neighbors: Neighbors, stride: int) -> list[list[Place]]:
    """Every column sorted by the middle of what each place is joined to in the column swept before."""
    seats = _seats(columns)

    def middle(place: Place) -> float:
        known = [seats[other] for other in neighbors[place] if other.column == place.column - stride]
        return sum(known) / len(known) if known else seats[place]

    swept = []
    for column in columns[::stride]:
        swept.append(sorted(column, key=middle))
        seats |= _seats([swept[-1]])
    return swept[::stride]


def _seats(columns: Sequence[Sequence[Place]]) -> dict[Place, int]:
    return {place: seat for column in columns for seat, place in enumerate(column)}


def _crossings(columns: Sequence[Sequence[Place]], links: Sequence[Link]) -> int:
    seats = _seats(columns)
    return sum(
        a.column == c.column and (seats[a] - seats[c]) * (seats[b] - seats[d]) < 0
        for (a, b), (c, d) in combinations(links, 2)
    )
