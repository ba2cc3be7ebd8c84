"""The families of things that go wrong. Each edge (HTTP, bus, task) has one table that gives them meaning.

A domain error carries a stable code and its facts as attributes; no HTTP, no prose to parse.
"""


class BillbusError(Exception):
    """Something the product names. `code` is stable; `facts` are JSON values for the reader."""

    code = "error"

    def __init__(self, code: str | None = None, /, **facts: object) -> None:
        self.code = code or type(self).code
        self.facts = facts
        super().__init__(self.code, facts)

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{name}={value}" for name, value in self.facts.items())])


class InvalidMessage(BillbusError):
    """A message that cannot be decoded or validated."""

    code = "invalid_message"


class Refused(BillbusError):
    """A business no, expected: recorded as the command's result."""

    code = "refused"


class TransitionRefused(Refused):
    """The machine has no such transition from this state."""

    code = "transition_refused"


class GuardRefused(Refused):
    """The machine has the transition, and its guard said no."""

    code = "guard_refused"


class NotFound(Refused):
    """There is no such thing in this studio. The same answer for absent and foreign ids."""

    code = "not_found"


class Transient(BillbusError):
    """Nothing is wrong but the moment: a deadlock, a lock time-out, a server that is away."""

    code = "transient"


class InvariantViolated(BillbusError):
    """Our bug: something that can never be was seen."""

    code = "invariant_violated"
