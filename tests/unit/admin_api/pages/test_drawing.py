"""The drawn machine: all of it once, the path marked, and nothing in it that a page must not hold."""

import re
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

import admin_api.pages.drawing
from admin_api.pages.drawing import STEPS_ON_LABEL, Step, draw
from kit.machine import Machine
from state_updater.machines import MACHINES

INVOICE = MACHINES["invoice"]
PAID = [
    Step("draw", "", "draft", "10:00"),
    Step("open", "draft", "open", "10:02"),
    Step("pay", "open", "paid", "10:05"),
]
REFUNDED_OFTEN = [
    *PAID,
    Step("refund", "paid", "partially_refunded", "11:00"),
    *(Step("refund", "partially_refunded", "partially_refunded", f"12:{n:02}") for n in range(6)),
]
HOSTILE = '"><script>alert(1)</script><g style="x" onload=\'y\'>'
STYLESHEET = Path(admin_api.pages.drawing.__file__).parent / "static" / "machine.css"


def drawn(machine: Machine, steps: list[Step], words: dict[str, str] | None = None) -> Element:
    # Our own text, and parsing it proves it well formed.
    return fromstring(draw(machine, steps, words=words or {}, title="An invoice's path"))  # noqa: S314


def having(element: Element, name: str) -> list[Element]:
    """The elements with the class `name`, in the order in which they are drawn."""
    return [one for one in element.iter() if name in one.get("class", "").split()]


def kinds_of_states(svg: Element) -> dict[str, str]:
    return {one.get("data-state", ""): one.get("class", "").split()[-1] for one in having(svg, "state")}


def edges(svg: Element, kind: str) -> list[tuple[str, ...]]:
    groups = [one for one in having(svg, "edge") if kind in one.get("class", "").split()]
    return [tuple(one.get(key, "?") for key in ("data-trigger", "data-from", "data-to")) for one in groups]


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_and_edge_is_drawn_once(name: str) -> None:
    machine = MACHINES[name]
    svg = drawn(machine, [])
    assert Counter(one.get("data-state") for one in having(svg, "state")) == Counter(machine.states)
    assert Counter(edges(svg, "edge")) == Counter(machine.edges())
    assert len(having(svg, "line")) == len(having(svg, "head")) == len(machine.edges())


def test_states_are_current_visited_ahead_or_dead() -> None:
    assert kinds_of_states(drawn(INVOICE, PAID)) == {
        "draft": "visited",
        "open": "visited",
        "paid": "current",
        "partially_refunded": "ahead",
        "refunded": "ahead",
        "void": "dead",
        "expired": "dead",
    }


def test_before_the_first_step_everything_is_ahead() -> None:
    svg = drawn(INVOICE, [])
    assert set(kinds_of_states(svg).values()) == {"ahead"}
    assert edges(svg, "next") == [("draw", "", "draft")]


def test_edges_are_taken_next_or_far_and_the_taken_ones_lie_on_top() -> None:
    svg = drawn(INVOICE, PAID)
    assert edges(svg, "taken") == [step.edge for step in PAID]
    assert edges(svg, "next") == [
        ("refund", "paid", "partially_refunded"),
        ("refund", "paid", "refunded"),
    ]
    assert len(edges(svg, "far")) == len(INVOICE.edges()) - 5
    assert edges(svg, "edge")[-3:] == edges(svg, "taken")


def test_taken_labels_carry_the_number_and_the_time_of_the_step() -> None:
    svg = drawn(INVOICE, PAID)
    assert [one.text for one in having(svg, "number")] == ["1", "2", "3"]
    assert [one.text for one in having(svg, "at")] == ["10:00", "10:02", "10:05"]


def test_a_loop_taken_often_shows_its_count_and_latest_steps() -> None:
    svg = drawn(INVOICE, REFUNDED_OFTEN)
    assert [one.text for one in having(svg, "at")][-STEPS_ON_LABEL:] == ["12:03", "12:04", "12:05"]
    assert "refund ×6" in [one.text for one in having(svg, "trigger")]


def test_the_path_is_told_in_words_for_those_who_do_not_see_it() -> None:
    svg = drawn(INVOICE, PAID, {"invoice.paid": "оплачен", "drawing.then": "затем"})
    assert svg.get("role") == "img"
    assert svg.findtext("title") == "An invoice's path"
    assert svg.findtext("desc") == "draft at 10:00, затем open at 10:02, затем оплачен at 10:05"
    assert drawn(INVOICE, []).findtext("desc") == "not begun"


def test_words_are_translated_and_the_code_is_for_whoever_points_there() -> None:
    svg = drawn(INVOICE, PAID, {"invoice.paid": "Оплачен", "trigger.pay": "оплата"})
    assert "Оплачен" in [one.text for one in having(svg, "word")]
    assert "оплата" in [one.text for one in having(svg, "trigger")]
    assert [one.findtext("title") for one in having(svg, "state-paid")] == ["paid"]


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    words = {"invoice.paid": HOSTILE, "trigger.pay": HOSTILE, "drawing.then": HOSTILE}
    text = draw(INVOICE, [*PAID, Step(HOSTILE, HOSTILE, HOSTILE, HOSTILE)], words=words, title=HOSTILE)
    svg = fromstring(text)  # noqa: S314
    assert svg.findtext("title") == HOSTILE
    assert {one.tag for one in svg.iter()} <= {"svg", "title", "desc", "g", "path", "rect", "circle", "text"}
    assert not {key for one in svg.iter() for key in one.attrib if key == "style" or key.startswith("on")}


@pytest.mark.parametrize("name", MACHINES)
def test_nothing_that_the_content_security_policy_forbids(name: str) -> None:
    text = draw(MACHINES[name], [], words={}, title="x")
    assert not re.search(r"style=|<style|<script|href|url\(|\bid=", text)


def test_a_step_that_the_machine_does_not_know_is_told_and_not_drawn() -> None:
    svg = drawn(INVOICE, [*PAID, Step("freeze", "paid", "frozen", "13:00")])
    assert (svg.findtext("desc") or "").endswith("then frozen at 13:00")
    assert "current" not in kinds_of_states(svg).values()
    assert len(edges(svg, "taken")) == 3


def test_the_same_path_is_always_drawn_the_same() -> None:
    assert len({draw(INVOICE, REFUNDED_OFTEN, words={}, title="x") for _ in range(3)}) == 1


def test_every_state_of_every_machine_has_its_color() -> None:
    colored = set(re.findall(r"\.state-(\w+)", STYLESHEET.read_text()))
    assert colored == {state for machine in MACHINES.values() for state in machine.states}


@pytest.mark.parametrize("name", MACHINES)
def test_the_stylesheet_knows_how_far_every_drawing_may_shrink(name: str) -> None:
    room = drawn(MACHINES[name], []).get("class", "").split()[-1]
    assert f".machine.{room} " in STYLESHEET.read_text()
