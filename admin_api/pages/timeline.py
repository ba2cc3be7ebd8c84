"""The timeline of a thing, in words: who wanted what, what came of it, and what the provider said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request

from admin_api.pages.cells import Cell, doing_key, state_cell, trace_href, who_cell
from admin_api.pages.frame import problem_text, tell, when_text
from admin_api.pages.words import knows
from admin_api.queries.timeline import Moment


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `kind` colors its dot, `exact` is the instant behind the local time."""

    kind: str
    kind_text: str
    when: str
    exact: str
    what: str
    state: Cell | None
    who: Cell | None
    trace: Cell | None


def timeline(request: Request, moments: Iterable[Moment]) -> list[Line]:
    """The lines in the order of the moments.

    That a command was applied is said where it was given; an answer of its own has what needs a look.
    """
    moments = list(moments)
    answers = {one.command_id: one.outcome for one in moments if one.kind == "answer"}
    return [
        Line(
            kind=one.kind,
            kind_text=tell(request, f"moment.{one.kind}"),
            when=when_text(request, one.at),
            exact=one.at.isoformat(),
            what=_what(request, one),
            state=_state(request, one, answers),
            who=who_cell(request, one.who) if one.who else None,
            trace=_trace(request, one),
        )
        for one in moments
        if not (one.kind == "answer" and one.outcome == "applied")
    ]


def _what(request: Request, one: Moment) -> str:
    match one.kind:
        case "event":
            subject, step = tell(request, f"machine.{one.machine}"), tell(request, f"trigger.{one.what}")
            return f"{subject}: {step}"
        case "command" | "answer":
            key = doing_key(one.what)
            text = tell(request, key) if key else one.what
            return f"{text}. {_reason(request, one.code)}" if one.code else text
        case "call" | "callback":
            text = tell(request, f"{one.kind}.{one.what}")
            return f"{text} ({one.code})" if one.code else text


def _trace(request: Request, one: Moment) -> Cell | None:
    """Where everything that came of a command is told."""
    href = trace_href(request, one.correlation_id) if one.kind == "command" and one.correlation_id else None
    return Cell(tell(request, "page.its_events"), href=href) if href else None


def _reason(request: Request, code: str) -> str:
    return problem_text(request, code, {}, 409) if knows(f"problem.{code}") else code


def _state(request: Request, one: Moment, answers: Mapping[UUID | None, str | None]) -> Cell | None:
    if one.kind == "event" and one.machine and one.to_state:
        return state_cell(request, one.machine, one.to_state)
    if one.kind == "command":
        return state_cell(request, "operation", answers.get(one.command_id) or "accepted")
    if one.kind == "answer" and one.outcome:
        return state_cell(request, "operation", one.outcome)
    return state_cell(request, "call", one.outcome) if one.outcome else None
