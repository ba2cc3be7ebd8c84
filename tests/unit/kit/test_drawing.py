"""The layout of every real machine: all of it is there, nothing lies on anything, lines end at boxes."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import pytest

from kit.drawing import Box, Picture, Point, Size, lay_out
from kit.layers import Way, arrange, list_lanes
from kit.machine import NOWHERE, Machine, Transition
from state_updater.machines import MACHINES

SAMPLES_A_CURVE = 12


def laid_out(machine: Machine, box: Size, label: Size) -> Picture:
    boxes = dict.fromkeys(machine.states, box) | {NOWHERE: Size(14, 14)}
    return lay_out(machine, boxes, dict.fromkeys(list_lanes(machine).values(), label))


@pytest.fixture(params=sorted(MACHINES))
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


@pytest.fixture(params=[(Size(90, 44), Size(70, 16)), (Size(60, 20), Size(140, 90))], ids=["usual", "odd"])
def picture(request: pytest.FixtureRequest, machine: Machine) -> Picture:
    return laid_out(machine, *request.param)


def along(points: Sequence[Point]) -> Iterator[Point]:
    """Points on the curves of a line, its ends included."""
    for index in range(0, len(points) - 1, 3):
        a, b, c, d = points[index : index + 4]
        for sample in range(SAMPLES_A_CURVE + 1):
            t = sample / SAMPLES_A_CURVE
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            pairs = list(zip(weights, (a, b, c, d), strict=True))
            yield Point(sum(w * p.x for w, p in pairs), sum(w * p.y for w, p in pairs))


def meet(one: Box, other: Box) -> bool:
    """Whether the two share more than a border."""
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def dot(point: Point) -> Box:
    return Box(point.x - 0.5, point.y - 0.5, 1, 1)


def test_every_state_and_every_edge_has_its_place(machine: Machine, picture: Picture) -> None:
    assert picture.boxes.keys() == {NOWHERE, *machine.states}
    assert picture.lines.keys() == set(machine.edges())
    assert picture.labels.keys() == set(list_lanes(machine).values())


def test_no_box_or_label_lies_on_another_or_outside(picture: Picture) -> None:
    everything = [*picture.boxes.items(), *picture.labels.items()]
    assert not [(a, b) for (a, one), (b, other) in combinations(everything, 2) if meet(one, other)]
    inside = Box(0, 0, *picture.size)
    for _, box in everything:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= inside.width
        assert box.y + box.height <= inside.height


def test_a_line_leaves_and_reaches_the_border_of_its_boxes(picture: Picture) -> None:
    for (_, source, dest), points in picture.lines.items():
        for state, end in ((source, points[0]), (dest, points[-1])):
            box = picture.boxes[state]
            if source == dest:
                assert end.y == box.y
                assert box.x < end.x < box.x + box.width
            else:
                assert end.x == pytest.approx(box.x) or end.x == pytest.approx(box.x + box.width)
                assert box.y <= end.y <= box.y + box.height


def test_a_line_crosses_no_box_and_no_label_of_another_lane(machine: Machine, picture: Picture) -> None:
    lanes = list_lanes(machine)
    for edge, points in picture.lines.items():
        others = [box for state, box in picture.boxes.items() if state not in edge[1:]]
        others += [box for lane, box in picture.labels.items() if lane != lanes[edge]]
        assert not [edge for point in along(points) for box in others if meet(dot(point), box)]


def test_states_stand_right_of_those_that_come_before_and_only_circles_run_back(machine: Machine) -> None:
    picture = laid_out(machine, Size(90, 44), Size(70, 16))
    for (_, source, dest), lane in list_lanes(machine).items():
        here, there = picture.boxes[source], picture.boxes[dest]
        if lane.way is Way.FORWARD:
            assert here.x + here.width < there.x
        if lane.way is Way.BACK:
            assert there.x + there.width < here.x


def test_the_same_machine_is_always_laid_out_the_same_way(machine: Machine) -> None:
    once = laid_out(machine, Size(90, 44), Size(70, 16))
    arrange.cache_clear()
    assert laid_out(machine, Size(90, 44), Size(70, 16)) == once


def test_a_box_grows_where_many_lines_meet_it() -> None:
    picture = laid_out(MACHINES["payment"], Size(90, 10), Size(70, 16))
    assert picture.boxes["requires_action"].height > picture.boxes["declined"].height


def test_a_state_that_nothing_reaches_is_drawn_too() -> None:
    table: list[Transition] = [{"trigger": "make", "source": NOWHERE, "dest": "new"}]
    picture = laid_out(Machine("thing", ["new", "lost"], table), Size(50, 20), Size(40, 10))
    assert not meet(picture.boxes["lost"], picture.boxes["new"])
