"""Actions that give a command: accepted here, applied by `state_updater`, foreseen by its preview.

Called by the rooms of actions. A room says which command is wanted; the way of the command is `web.commands`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, always_open
from admin_api.actions.effects import NOTHING, effect_of, refused
from admin_api.desk import Desk
from bus.messages import Command
from kit.errors import NotFound, Refused
from web.commands import Wanted, submit
from web.fields import Body

# What a command would do beyond the steps of machines, for people.
Announce = Callable[[Desk, Connection, Command], tuple[EffectLine, ...]]
# Looks at the rows that the command is about and builds it. Raises NotFound and Refused.
Want = Callable[[Desk, Connection, Any, Any], Wanted]


def command_action(
    name: str,
    permission: str,
    path: str,
    *,
    subject: str | None,
    body: type[Body],
    want: Want,
    summary: str,
    announce: Announce | None = None,
    initial: Callable[[Connection, UUID], Mapping[str, JsonValue]] | None = None,
    is_open: Callable[[Connection, UUID], bool] = always_open,
    is_dangerous: bool = False,
    needs_key: bool = False,
) -> Action:
    """An action whose `run` accepts the wanted command and whose `preview` tries it, after what `announce`
    says."""

    def run(desk: Desk, sent: ActionRequest, subject_id: UUID | None, sent_body: Body) -> Done:
        command_id = submit(desk, sent, lambda connection: want(desk, connection, subject_id, sent_body))
        return Done(operation=command_id, subject_id=subject_id)

    def foresee(desk: Desk, subject_id: UUID | None, sent_body: Body) -> Effect:
        with desk.transaction() as connection:
            try:
                wanted = want(desk, connection, subject_id, sent_body)
            except NotFound:
                raise
            except Refused as no:
                return refused(no)
            effect = effect_of(connection, wanted.command)
            if effect.refusal is not None or announce is None:
                return effect
            announced = announce(desk, connection, wanted.command)
            others = () if announced and effect.lines == (NOTHING,) else effect.lines
            return replace(effect, lines=(*announced, *others))

    return Action(
        name=name,
        permission=permission,
        path=path,
        subject=subject,
        body=body,
        run=run,
        preview=foresee,
        initial=initial,
        is_open=is_open,
        is_dangerous=is_dangerous,
        is_command=True,
        needs_key=needs_key,
        summary=summary,
    )
