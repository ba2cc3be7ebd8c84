"""How high everything in a state machine's picture stands: near what it is joined to, lanes straight.

Called by `kit.drawing`. Pure. All numbers are pixels of the picture, y grows downward.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf

from kit.layers import Arrangement, Lane, Place

SWEEPS = 40
STRAIGHTENINGS = 3

ROW_GAP = 16.0
PORT_GAP = 9.0

# A lane that runs straight through its columns is easier to follow than one that is short.
PASSING_WEIGHT = 12.0
ENDING_WEIGHT = 1.0

Extents = Mapping[Place, tuple[float, float]]
"""How far each place reaches above and below its middle."""

Ports = Mapping[tuple[Place, Place], float]
"""How far from the first place's middle the line to the second one touches it."""


def find_middles(plan: Arrangement, extents: Extents) -> dict[Place, float]:
    """The height of every place's middle, the highest place reaching up to 0."""
    middles = {place: y for column in plan.columns for place, y in _stacked(column, extents)}
    for sweep in range(SWEEPS):
        ports = list_ports(plan, middles)
        for column in plan.columns[:: 1 if sweep % 2 == 0 else -1]:
            stack = _stacked(column, extents)
            wishes = [_wish(place, plan, middles, ports) for place in column]
            slack = _level([(wish - y, weight) for (wish, weight), (_, y) in zip(wishes, stack, strict=True)])
            middles |= {place: y + more for (place, y), more in zip(stack, slack, strict=True)}
    for _ in range(STRAIGHTENINGS):
        _straighten(plan, extents, middles)
    top = min(middles[place] - above for place, (above, _) in extents.items())
    return {place: y - top for place, y in middles.items()}


def list_ports(plan: Arrangement, middles: Mapping[Place, float]) -> Ports:
    """Where lines touch boxes, in the order of where they come from; lanes have one line and no ports."""
    ports = {}
    for place in middles:
        if isinstance(place.holds, str):
            for side in (place.column - 1, place.column + 1):
                others = [other for other in plan.neighbors[place] if other.column == side]
                others.sort(key=lambda other: middles[other])
                for seat, other in enumerate(others):
                    ports[place, other] = (seat - (len(others) - 1) / 2) * PORT_GAP
    return ports


def _stacked(column: Sequence[Place], extents: Extents) -> list[tuple[Place, float]]:
    """A column's places with their middles, packed as closely as they may stand."""
    heights = [0.0]
    for upper, lower in pairwise(column):
        heights.append(heights[-1] + _apart(upper, lower, extents))
    return list(zip(column, heights, strict=True))


def _apart(upper: Place, lower: Place, extents: Extents) -> float:
    return extents[upper][1] + ROW_GAP + extents[lower][0]


def _wish(
    place: Place,
    plan: Arrangement,
    middles: Mapping[Place, float],
    ports: Ports,
) -> tuple[float, float]:
    """The height that would make this place's lines straightest, and how much it matters."""
    total = weight = 0.0
    for other in plan.neighbors[place]:
        passing = isinstance(place.holds, Lane) and isinstance(other.holds, Lane)
        pull = PASSING_WEIGHT if passing else ENDING_WEIGHT
        there = middles[other] + ports.get((other, place), 0.0) - ports.get((place, other), 0.0)
        total, weight = total + pull * there, weight + pull
    return (total / weight, weight) if weight else (middles[place], ENDING_WEIGHT)


def _level(wishes: Sequence[tuple[float, float]]) -> list[float]:
    """The never falling numbers nearest to the weighted wishes: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for wish, weight in wishes:
        pools.append((wish, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (high, strong, many), (low, weak, few) = pools[-2:]
            mean = (high * strong + low * weak) / (strong + weak)
            pools[-2:] = [(mean, strong + weak, many + few)]
    return [wish for wish, _, count in pools for _ in range(count)]


def _straighten(plan: Arrangement, extents: Extents, middles: dict[Place, float]) -> None:
    """Put the longest runs of each lane that have room for it on one height: sweeps leave small steps."""
    rows: dict[Lane, list[tuple[Place, Place | None, Place | None]]] = {}
    for column in plan.columns:
        for upper, place, lower in zip([None, *column], column, [*column[1:], None], strict=False):
            if isinstance(place.holds, Lane):
                rows.setdefault(place.holds, []).append((place, upper, lower))
    for row in rows.values():
        run: list[Place] = []
        highest, lowest = -inf, inf
        for place, upper, lower in row:
            ceiling = middles[upper] + _apart(upper, place, extents) if upper else -inf
            # Packed places leave no room at all, and rounding may make that a little less than none.
            floor = max(ceiling, middles[lower] - _apart(place, lower, extents) if lower else inf)
            if max(highest, ceiling) > min(lowest, floor):
                _set_level(run, highest, lowest, middles)
                run, highest, lowest = [], -inf, inf
            run.append(place)
            highest, lowest = max(highest, ceiling), min(lowest, floor)
        _set_level(run, highest, lowest, middles)


def _set_level(run: Sequence[Place], highest: float, lowest: float, middles: dict[Place, float]) -> None:
    """One height for the whole run: the mean, or the nearest to it between its neighbors above and below."""
    mean = sum(middles[place] for place in run) / len(run)
    middles |= dict.fromkeys(run, min(max(mean, highest), lowest))
