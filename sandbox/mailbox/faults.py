"""What the mailbox is told to do wrong, and how often. Called by the SMTP side; scripted over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FAULTS_LIMIT: Final = 100
SLOW_LIMIT_MILLISECONDS: Final = 120_000

FaultKind = Literal["down", "refuse", "defer", "reject", "slow", "cut"]


class Fault(BaseModel):
    """One line of the script; `to` is an address, None means any."""

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    times: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    milliseconds: Annotated[int, Field(ge=0, le=SLOW_LIMIT_MILLISECONDS)] = 0
    to: str | None = None


class Script(BaseModel):
    model_config = ConfigDict(extra="forbid")

    faults: Annotated[list[Fault], Field(max_length=FAULTS_LIMIT)]


class Faults:
    """The script as it is used up. Used in one event loop."""

    def __init__(self) -> None:
        self.script = Script(faults=[])

    def take(self, kinds: Sequence[FaultKind], to: str | None = None) -> Fault | None:
        """The first fault of these kinds that is left for this address; one of its times is used."""
        for fault in self.script.faults:
            if fault.kind in kinds and fault.times > 0 and fault.to in (None, to):
                fault.times -= 1
                return fault
        return None
