"""The fence around `transitions` closes the library's traps."""

import pytest

from kit.errors import GuardRefused, Refused, TransitionRefused
from kit.machine import NOWHERE, Machine, Transition


def is_even(number: int) -> bool:
    return number % 2 == 0


def is_odd(number: int) -> bool:
    return number % 2 == 1


TABLE: list[Transition] = [
    {"trigger": "make", "source": NOWHERE, "dest": "new"},
    {"trigger": "age", "source": "new", "dest": "old", "conditions": [is_even]},
    {"trigger": "count", "source": ["new", "old"], "dest": "even", "conditions": [is_even]},
    {"trigger": "count", "source": ["new", "old"], "dest": "odd", "conditions": [is_odd]},
]
THING = Machine("thing", ["new", "old", "even", "odd"], TABLE)


def test_a_step_gives_the_next_state_and_remembers_nothing() -> None:
    assert THING.step(NOWHERE, "make") == "new"
    assert THING.step(NOWHERE, "make") == "new"


def test_a_false_guard_raises_where_the_library_would_say_nothing() -> None:
    with pytest.raises(GuardRefused) as refused:
        THING.step("new", "age", 3)
    assert refused.value.facts == {"machine": "thing", "state": "new", "trigger": "age"}


def test_the_first_row_whose_guard_holds_is_taken() -> None:
    assert THING.step("old", "count", 4) == "even"
    assert THING.step("old", "count", 5) == "odd"


@pytest.mark.parametrize("trigger", ["to_old", "to_new", "to_", "", "is_old", "may_age", "trigger"])
def test_there_are_no_back_doors(trigger: str) -> None:
    with pytest.raises(TransitionRefused):
        THING.step("new", trigger)


@pytest.mark.parametrize(
    ("state", "trigger"), [("old", "make"), ("even", "count"), (NOWHERE, "age"), ("nothing", "age")]
)
def test_what_the_table_does_not_declare_is_refused(state: str, trigger: str) -> None:
    with pytest.raises(TransitionRefused) as refused:
        THING.step(state, trigger, 2)
    assert isinstance(refused.value, Refused)
    assert refused.value.code == "transition_refused"


def test_a_guard_that_fails_by_itself_is_not_a_refusal() -> None:
    with pytest.raises(TypeError):
        THING.step("new", "age", "three")


def test_a_value_error_of_a_guard_is_no_refusal_either() -> None:
    def reads_wrong(facts: object) -> bool:
        raise ValueError(facts)

    machine = Machine(
        "broken", ["on"], [{"trigger": "turn", "source": NOWHERE, "dest": "on", "conditions": [reads_wrong]}]
    )
    with pytest.raises(ValueError, match="facts"):
        machine.step(NOWHERE, "turn", "facts")


def test_edges_pairs_and_triggers_are_read_from_the_table() -> None:
    assert THING.edges()[0] == ("make", NOWHERE, "new")
    assert ("old", "odd") in THING.pairs()
    assert THING.triggers_from("new") == ["age", "count"]
    assert THING.triggers_from("odd") == []


def test_what_is_required_is_refused_before_anything_moves_and_guards_are_not_asked() -> None:
    THING.require("new", "count")
    with pytest.raises(TransitionRefused) as refused:
        THING.require("odd", "count")
    assert refused.value.facts == {"machine": "thing", "state": "odd", "trigger": "count"}


def test_the_picture_names_every_edge_and_every_end() -> None:
    picture = THING.mermaid().splitlines()
    assert picture[0] == "stateDiagram-v2"
    assert "    [*] --> new" in picture
    assert "    old --> odd: count" in picture
    assert picture[-2:] == ["    even --> [*]", "    odd --> [*]"]
