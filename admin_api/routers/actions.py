"""A route for each action of the table: POST, its own body, its permission, and what it may answer.

Nothing is decided here.
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from admin_api.actions.action import Action, Done
from admin_api.actions.registry import ACTIONS, perform
from admin_api.desk import PREFIX, Desk
from admin_api.people.dependencies import requires
from web.commands import (
    AnyCommandRequest,
    CommandRequest,
    CommandRoute,
    KeyedCommandRequest,
    answer_when_applied,
)
from web.documented import Responses, command_answers, problems
from web.fields import Body, show
from web.operations import find_operation
from web.views import OperationView, View

router = APIRouter(prefix=PREFIX, route_class=CommandRoute)

_SUBJECT: Final = "subject_id"


class DoneView(View):
    """What was written. `operation_id`: the command that is on its way now."""

    id: UUID | None
    operation_id: UUID | None = None
    secret: Annotated[str | None, Field(description="Shown this once.")] = None


def _endpoint(action: Action) -> Callable[..., Response]:
    def act(
        request: Request,
        desk: Desk,
        sent: CommandRequest,
        body: Body,
        subject_id: UUID | None = None,
    ) -> Response:
        done = perform(desk, action, sent, subject_id, body)
        if action.is_command:
            assert done.operation is not None, action.name
            return answer_when_applied(request, desk, done.operation, _respond_for(desk, done.operation))
        return show(_done_view(done), _status(action))

    # FastAPI reads parameters from a signature; each action has its own body, permission and path.
    act.__signature__ = _signature(action)  # type: ignore[attr-defined]
    act.__doc__ = _about(action)
    return act


def _signature(action: Action) -> Signature:
    body_default = Parameter.empty if _has_fields(action) else action.body()
    kinds: dict[str, tuple[Any, Any]] = {
        "request": (Request, Parameter.empty),
        "desk": (Annotated[Desk, Depends(requires(action.permission))], Parameter.empty),
        "sent": (KeyedCommandRequest if action.needs_key else AnyCommandRequest, Parameter.empty),
        "body": (action.body, body_default),
    }
    if _SUBJECT in action.path:
        kinds[_SUBJECT] = (UUID, Parameter.empty)
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in kinds.items()
    ]
    return Signature(parameters, return_annotation=Response)


def _has_fields(action: Action) -> bool:
    return bool(action.body.model_fields)


def _respond_for(desk: Desk, command_id: UUID) -> Callable[[Connection, Mapping[str, object]], Response]:
    def respond(connection: Connection, _result: Mapping[str, object]) -> Response:
        operation = find_operation(connection, command_id, desk.principal)
        assert operation is not None, "an applied command is in the journal"
        return show(OperationView.of(operation))

    return respond


def _done_view(done: Done) -> DoneView:
    return DoneView(id=done.subject_id, operation_id=done.operation, secret=done.secret)


def _status(action: Action) -> int:
    return 201 if action.subject is None else 200


def _answers(action: Action) -> Responses:
    if action.is_command:
        return command_answers(200, OperationView) | problems(403)
    done: Responses = {_status(action): {"model": DoneView, "description": "Written"}}
    return done | problems(401, 403, 404, 409, 413)


def _about(action: Action) -> str:
    kind = "A command: it changes the state when it is applied." if action.is_command else "Written at once."
    return f"{kind} Needs the permission `{action.permission}`."


for _action in ACTIONS.values():
    router.add_api_route(
        _action.path,
        _endpoint(_action),
        methods=["POST"],
        operation_id=_action.name,
        tags=[_action.path.split("/")[1].replace("_", " ").replace("-", " ")],
        summary=_action.summary,
        status_code=200 if _action.is_command else _status(_action),
        responses=_answers(_action),
    )
