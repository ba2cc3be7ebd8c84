"""The way of a command through the API: accept, publish, wait, answer.

An endpoint says what it wants and how to show the result; everything else about a command is here. A repeat
with the same Idempotency-Key finds the first command: its row in the journal is looked for before anything is
checked or minted, so that a repeat is never refused for what the first one has done.
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Protocol
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Connection, Engine, text
from starlette.concurrency import run_in_threadpool

from bus.messages import Command
from bus.outlet import Outlet
from bus.port import Envelope
from kit.canonical import canonical_json
from kit.errors import Refused
from kit.ids import derived_id, new_id, sha256
from runtime.crash_points import crash_point
from storage.audit import write_audit
from storage.database import tenant
from storage.journal import accept
from web.edge import CorrelationId, remote_address
from web.operations import Operation, find_operation
from web.problems import Problem, invalid, problem_of_refusal
from web.strict import StrictRoute
from web.views import OperationView
from web.waiting import WAIT_LIMIT_SECONDS, AppliedWaiter

KEY_LENGTH_LIMIT: Final = 255
_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_LENGTH_LIMIT}}}")
_WAIT = re.compile(r"(?:^|[;,\s])wait=(\d{1,6})(?=$|[;,\s])")


class Sender(Protocol):
    """Who sends commands: a customer, a staff member. Below `operations_path` their answers can be read."""

    operations_path: ClassVar[str]

    @property
    def studio_id(self) -> UUID: ...

    @property
    def principal(self) -> str: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def outlet(self) -> Outlet: ...

    def transaction(self) -> AbstractContextManager[Connection]: ...


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What makes a request the same one when it is sent again, and who is to be written down for it."""

    method: str
    path: str
    key: str
    request_hash: bytes
    correlation_id: str
    remote_address: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command that was checked, and the id it is about, for the audit."""

    command: Command
    subject_id: UUID


Respond = Callable[[Connection, Mapping[str, object]], Response]
Explain = Callable[[Connection, Mapping[str, object]], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Pending:
    """An accepted command whose request is still open. `respond` shows an applied one's result; `explain`
    adds to a refusal, `code` and facts, what helps its sender on."""

    caller: Sender
    command_id: UUID
    respond: Respond = field(repr=False)
    explain: Explain | None = field(repr=False)


def _read_request(request: Request, key: str, correlation_id: str) -> CommandRequest:
    if not _KEY.fullmatch(key):
        raise invalid(("header.Idempotency-Key", "1_to_255_visible_ascii_characters"))
    path, query = request.url.path, sorted(request.query_params.multi_items())
    meaning = canonical_json([path, query, getattr(request.state, "json_body", None)])
    return CommandRequest(request.method, path, key, sha256(meaning), correlation_id, remote_address(request))


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Names this request: sent again with the same key it is the same command. "
        "Up to 255 visible ASCII characters.",
        examples=["7f9c2ba4-e88f-4b1e-9d3a-0c9a2f6f5b11"],
    ),
]
PreferHeader = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=N`: answer with the result if it is there within N seconds (at most 30).",
        examples=["wait=10"],
    ),
]


async def get_command_request(
    request: Request, correlation_id: CorrelationId, key: KeyHeader = None, prefer: PreferHeader = None
) -> CommandRequest:
    """A request without a key gets one of its own: sent again, it is another command."""
    request.state.wait_seconds = wait_seconds(prefer or "")
    return _read_request(request, new_id().hex if key is None else key, correlation_id)


async def get_keyed_command_request(
    request: Request, correlation_id: CorrelationId, key: KeyHeader = None, prefer: PreferHeader = None
) -> CommandRequest:
    """Where money moves the key is the client's. Raises Problem 422."""
    if key is None:
        raise Problem(422, "idempotency_key_required")
    return await get_command_request(request, correlation_id, key, prefer)


AnyCommandRequest = Annotated[CommandRequest, Depends(get_command_request)]
KeyedCommandRequest = Annotated[CommandRequest, Depends(get_keyed_command_request)]


def wait_seconds(prefer: str) -> int:
    """N of `wait=N` in a Prefer header, at most WAIT_LIMIT_SECONDS; 0 when it does not say."""
    found = _WAIT.search(prefer.lower())
    return min(int(found[1]), WAIT_LIMIT_SECONDS) if found else 0


def submit(caller: Sender, sent: CommandRequest, want: Callable[[Connection], Wanted]) -> UUID:
    """Accepts a command, or finds it accepted; committed and published when this returns its id.

    `want` checks and builds the command in the same transaction; it runs only for a new one. Raises Problem
    and Refused (`idempotency_key_reused`).
    """
    command_id = derived_id("command", caller.studio_id, caller.principal, sent.method, sent.path, sent.key)
    envelope: Envelope | None = None
    with caller.transaction() as connection:
        if not _is_repeat(connection, command_id, sent.request_hash):
            envelope = _accept(connection, caller, sent, command_id, want(connection))
            crash_point("before_journal_commit")
    crash_point("after_journal_commit")
    caller.outlet.publish(envelope)
    return command_id


_FIND_REQUEST = text("SELECT request_hash FROM command_journal WHERE command_id = :command_id")


def _is_repeat(connection: Connection, command_id: UUID, request_hash: bytes) -> bool:
    first_hash = connection.scalar(_FIND_REQUEST, {"command_id": command_id})
    if first_hash is not None and first_hash != request_hash:
        raise Refused("idempotency_key_reused", command_id=str(command_id))
    return first_hash is not None


def _accept(
    connection: Connection, caller: Sender, sent: CommandRequest, command_id: UUID, wanted: Wanted
) -> Envelope | None:
    accepted = accept(
        connection,
        wanted.command,
        command_id=command_id,
        request_hash=sent.request_hash,
        principal=caller.principal,
        correlation_id=sent.correlation_id,
    )
    if accepted.envelope is not None:
        write_audit(
            connection,
            studio_id=caller.studio_id,
            principal=caller.principal,
            action=accepted.envelope.kind,
            subject_id=wanted.subject_id,
            facts={"command_id": command_id},
            remote_address=sent.remote_address,
            correlation_id=sent.correlation_id,
        )
    return accepted.envelope


def answer_when_applied(
    request: Request,
    caller: Sender,
    command_id: UUID,
    respond: Respond,
    explain: Explain | None = None,
) -> Response:
    """What a command endpoint returns: the route answers in its place, now or after waiting."""
    request.state.pending = Pending(caller, command_id, respond, explain)
    return Response(status_code=202)


class CommandRoute(StrictRoute):
    """Answers the request of an accepted command: 200 or 201 when applied, its problem when refused, 202."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            response = await inner(request)
            pending: Pending | None = getattr(request.state, "pending", None)
            if pending is None:
                return response
            waiter: AppliedWaiter = request.app.state.waiter
            return await _answer(pending, waiter, request.state.wait_seconds)

        return handle


async def _answer(pending: Pending, waiter: AppliedWaiter, seconds: int) -> Response:
    ticket = waiter.register(pending.caller.studio_id, pending.command_id) if seconds else None
    if ticket is None:
        return await run_in_threadpool(_respond, pending)
    try:
        response = await run_in_threadpool(_respond, pending)
        if response.status_code == 202:
            await ticket.wait(seconds)
            response = await run_in_threadpool(_respond, pending)
        response.headers["Preference-Applied"] = f"wait={seconds}"
        return response
    finally:
        ticket.leave()


def _respond(pending: Pending) -> Response:
    caller = pending.caller
    with tenant(caller.engine, caller.studio_id) as connection:
        operation = find_operation(connection, pending.command_id, caller.principal)
        assert operation is not None, "an accepted command is in the journal"
        if operation.state == "applied":
            return pending.respond(connection, operation.result or {})
        if operation.state == "refused":
            recorded = operation.problem or {}
            more = pending.explain(connection, recorded) if pending.explain else {}
            raise problem_of_refusal({**recorded, **more})
    return accepted_response(caller.operations_path, operation)


def accepted_response(operations_path: str, operation: Operation) -> Response:
    """202, and where to ask."""
    return Response(
        OperationView.of(operation).model_dump_json(),
        status_code=202,
        headers={"Location": f"{operations_path}/{operation.command_id}"},
        media_type="application/json",
    )
