"""What a verification finds, as values. Made by `storage.verification` and the checks that it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

FINDINGS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be: in which studio (None: everywhere), which row, and what is wrong."""

    studio_id: UUID | None
    subject: str
    fault: str


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant with the first FINDINGS_LIMIT things that break it; `count` is of all of them."""

    name: str
    statement: str
    count: int
    findings: tuple[Finding, ...]


def gather(name: str, statement: str, findings: Iterable[Finding]) -> Check:
    """Reads `findings` to the end and keeps the first of them."""
    kept: list[Finding] = []
    count = 0
    for count, finding in enumerate(findings, start=1):
        if count <= FINDINGS_LIMIT:
            kept.append(finding)
    return Check(name, statement, count, tuple(kept))
