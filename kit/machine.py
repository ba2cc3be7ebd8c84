"""The one fence around `transitions`: strict state machines read from a table.

A table is a list of transitions in the library's own vocabulary. The pseudo-state `""` is where an aggregate
is before it exists, so creating one is a transition like any other. Guards are pure functions of the facts
handed to `step`. The library's traps are closed here: no `to_<state>()` doors, no model that a machine could
overwrite (each step runs on a throw-away probe), and a false guard is an error, not a silent `False`.
"""

from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

from transitions import Machine as LibraryMachine
from transitions import MachineError

from kit.errors import GuardRefused, TransitionRefused

NOWHERE = ""

Guard = Callable[..., bool]


class Transition(TypedDict):
    """One row of a machine's table; `source` may name several states."""

    trigger: str
    source: str | Sequence[str]
    dest: str
    conditions: NotRequired[Sequence[Guard]]


class _Probe:
    """What the library moves instead of a row."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


class Machine:
    """A named machine built from its table. Safe to share: it holds no state of any aggregate."""

    def __init__(self, name: str, states: Sequence[str], table: Sequence[Transition]) -> None:
        self.name = name
        self.states = tuple(states)
        self.table = tuple(table)
        self._library = LibraryMachine(
            model=None,
            states=[NOWHERE, *states],
            transitions=[dict(row) for row in table],
            initial=NOWHERE,
            auto_transitions=False,
            ignore_invalid_triggers=False,
        )
        self._guarded = {row["trigger"] for row in table if row.get("conditions")}
        # What the library has said of steps without a guard: it would say the same again, only slower.
        self._known: dict[tuple[str, str], str] = {}
        self._triggers = {
            state: list(dict.fromkeys(trigger for trigger, source, _ in self.edges() if source == state))
            for state in (NOWHERE, *states)
        }

    def step(self, state: str, trigger: str, facts: object = None) -> str:
        """The state after `trigger`. Raises TransitionRefused or GuardRefused; changes nothing."""
        known = self._known.get((state, trigger))
        if known is None:
            known = self._ask(state, trigger, facts)
            if trigger not in self._guarded:
                self._known[state, trigger] = known
        return known

    def _ask(self, state: str, trigger: str, facts: object) -> str:
        event = self._library.events.get(trigger)
        if event is None or state not in self._library.states:
            raise TransitionRefused(machine=self.name, state=state, trigger=trigger)
        probe = _Probe(state)
        try:
            moved = event.trigger(probe, facts)
        except MachineError as error:
            raise TransitionRefused(machine=self.name, state=state, trigger=trigger) from error
        if not moved:
            raise GuardRefused(machine=self.name, state=state, trigger=trigger)
        return probe.state

    def triggers_from(self, state: str) -> Sequence[str]:
        """The triggers that the table declares from `state`, guards aside, in the table's order."""
        return self._triggers.get(state, ())

    def require(self, state: str, trigger: str) -> None:
        """For who must know before it changes anything. Raises TransitionRefused, but looks at no guard."""
        if trigger not in self.triggers_from(state):
            raise TransitionRefused(machine=self.name, state=state, trigger=trigger)

    def edges(self) -> list[tuple[str, str, str]]:
        """Every (trigger, from_state, to_state) of the table, in its order."""
        return [
            (row["trigger"], source, row["dest"])
            for row in self.table
            for source in ([row["source"]] if isinstance(row["source"], str) else row["source"])
        ]

    def pairs(self) -> set[tuple[str, str]]:
        """Every declared (from_state, to_state): what the database's trigger checks."""
        return {(source, dest) for _, source, dest in self.edges()}

    def mermaid(self) -> str:
        """The table as a Mermaid state diagram; states that nothing leaves end there."""
        leaving = {source for _, source, _ in self.edges()}
        arrows = [
            f"    {source or '[*]'} --> {dest}{'' if source == NOWHERE else ': ' + trigger}"
            for trigger, source, dest in self.edges()
        ]
        ends = [f"    {state} --> [*]" for state in self.states if state not in leaving]
        return "\n".join(["stateDiagram-v2", *arrows, *ends])
