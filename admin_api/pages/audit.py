"""The audit as sentences: who did what to what, from where, what changed, and what became of it.

Called for its list and for the history on the page of a person. The JSON API tells the same in codes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from starlette.requests import Request

from admin_api.listings.operations import AuditRow
from admin_api.pages.cells import Cell, Fact, cell_of, label_of, state_cell, subject_cell, who_cell
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import tell, told_facts
from admin_api.pages.words import WORDS, knows
from admin_api.queries.subjects import Subject, subjects_of

HEADS: Final = ("at", "sentence", "change", "remote_address")
_DID: Final = "did."


def kinds(request: Request) -> Iterator[tuple[str, str]]:
    """Everything that the audit may name, in words."""
    return ((key.removeprefix(_DID), tell(request, key)) for key in WORDS if key.startswith(_DID))


def head_of(request: Request, name: str) -> str:
    own = f"audit.{name}"
    return tell(request, own) if knows(own) else label_of(request, "audit", name)


def rows_of(request: Request, items: Sequence[AuditRow]) -> list[list[Cell]]:
    """A line of cells for each row, under HEADS."""
    with desk_of(request).transaction() as connection:
        subjects = subjects_of(connection, (item.subject_id for item in items))
    return [
        [
            cell_of(request, "audit", "at", item.at),
            sentence(request, item, subjects),
            _change(request, item),
            cell_of(request, "audit", "remote_address", item.remote_address),
        ]
        for item in items
    ]


def sentence(request: Request, item: AuditRow, subjects: Mapping[UUID, Subject]) -> Cell:
    """Who did what, what it was done to, and how the command that it gave stands."""
    subject = subjects.get(item.subject_id) if item.subject_id else None
    parts = [who_cell(request, item.who), Cell(tell(request, f"{_DID}{item.action}"))]
    if subject is not None and subject.id != item.who.id:
        # What it is, as far as the words of what was done leave it open.
        parts += [Cell("—"), subject_cell(request, subject, "audit.of")]
    if item.command_state and item.command_state != "applied":
        parts.append(state_cell(request, "operation", item.command_state))
    return Cell(" ".join(part.text for part in parts), "sentence", parts=tuple(parts))


def facts_of(request: Request, item: AuditRow) -> list[Fact]:
    """All of one line, and below it the codes that engineers look for."""
    (when, whole, change, address), *_ = rows_of(request, [item])
    shown = {"at": when, "sentence": whole, "change": change, "remote_address": address}
    rest = {
        name: cell_of(request, "audit", name, value)
        for name in ("command_state", "command_problem", "subject_id", "facts", "correlation_id")
        if (value := getattr(item, name)) is not None
    }
    return [Fact(head_of(request, name), cell) for name, cell in {**shown, **rest}.items()]


def _change(request: Request, item: AuditRow) -> Cell:
    """What was, and what is: a line for each value that changed."""
    before, after = item.before or {}, item.after or {}
    lines = [
        f"{_name(request, name)}: {' → '.join(_values(request, name, before, after))}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    return Cell("\n".join(lines), "lines") if lines else Cell(tell(request, "page.none"))


def _values(request: Request, name: str, *sides: Mapping[str, object]) -> Iterable[str]:
    """On each side where there is a value, it, as it is shown everywhere."""
    told = (told_facts(request, {name: side[name]})[name] for side in sides if name in side)
    return [cell_of(request, "audit", name, value).text for value in told]


def _name(request: Request, name: str) -> str:
    key = next((key for key in (f"column.{name}", f"field.{name}") if knows(key)), None)
    return tell(request, key) if key else name.replace("_", " ")
