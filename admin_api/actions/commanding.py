"""Actions that give a command: accepted here, applied by `state_updater`, foreseen by its preview.

Called by the rooms of actions. A room says which command is wanted; the way of the command is `web.commands`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, always_open
from admin_api.desk import Desk
from billing.ledger import ACCOUNTS
from kit.errors import NotFound, Refused
from state_updater.preview import Preview, preview
from web.commands import Wanted, submit
from web.fields import Body

_POSTING_OF: Final = {accounts: posting.value for posting, accounts in ACCOUNTS.items()}

# Looks at the rows that the command is about and builds it. Raises NotFound and Refused.
Want = Callable[[Desk, Connection, Any, Any], Wanted]


def command_action(
    name: str,
    permission: str,
    path: str,
    *,
    subject: str,
    body: type[Body],
    want: Want,
    summary: str,
    is_open: Callable[[Connection, UUID], bool] = always_open,
    is_dangerous: bool = False,
    needs_key: bool = False,
) -> Action:
    """An action whose `run` accepts the wanted command and whose `preview` tries it."""

    def run(desk: Desk, sent: ActionRequest, subject_id: UUID, sent_body: Body) -> Done:
        command_id = submit(desk, sent, lambda connection: want(desk, connection, subject_id, sent_body))
        return Done(operation=command_id, subject_id=subject_id)

    def foresee(desk: Desk, subject_id: UUID, sent_body: Body) -> Effect:
        with desk.transaction() as connection:
            try:
                wanted = want(desk, connection, subject_id, sent_body)
            except NotFound:
                raise
            except Refused as no:
                return refused(no)
            return effect_of(preview(connection, wanted.command))

    return Action(
        name=name,
        permission=permission,
        path=path,
        subject=subject,
        body=body,
        run=run,
        preview=foresee,
        is_open=is_open,
        is_dangerous=is_dangerous,
        is_command=True,
        needs_key=needs_key,
        summary=summary,
    )


def refused(no: Refused) -> Effect:
    """The effect of what would be refused."""
    return Effect(refusal={"code": no.code, **_facts(no.facts)})


def effect_of(foreseen: Preview) -> Effect:
    """What the updater would do, line by line: steps of machines, sums that move, calls and news."""
    if foreseen.refusal is not None:
        return Effect(refusal={"code": foreseen.refusal.code, **_facts(foreseen.refusal.facts)})
    steps = [
        EffectLine(
            f"step.{step.machine}.{step.trigger}",
            {"id": str(step.aggregate_id), "from_state": step.from_state, "to_state": step.to_state},
        )
        for step in foreseen.steps
    ]
    postings = [
        EffectLine(
            f"posting.{_POSTING_OF[posting.debit, posting.credit]}",
            {"amount_minor": posting.amount_minor, "currency": posting.currency},
        )
        for posting in foreseen.postings
    ]
    tasks = [EffectLine(f"task.{task}") for task in foreseen.tasks]
    events = [EffectLine("event", {"kind": kind}) for kind in foreseen.events]
    lines = (*steps, *postings, *tasks, *events)
    return Effect(lines or (EffectLine("nothing"),))


def _facts(facts: Mapping[str, object]) -> dict[str, JsonValue]:
    return {name: value if isinstance(value, int | str) else str(value) for name, value in facts.items()}
