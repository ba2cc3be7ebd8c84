"""Parked commands: sent again, sent otherwise, or given up, each only while it is still parked.

A command is never changed: sent otherwise it is another command, and the parked one is answered as replaced
by it. What a provider said is evidence: it is sent again as it came or given up, never edited.
"""

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

import orjson
import psycopg
from pydantic import Field, JsonValue
from sqlalchemy import Connection, text

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, widget
from admin_api.actions.direct import Change, changed, made_id, write_once
from admin_api.actions.effects import effect_of
from admin_api.actions.fields import Nothing, Reason
from admin_api.desk import Desk
from bus.messages import Command, decode_command
from bus.port import Envelope
from kit.canonical import canonical_json
from kit.errors import InvalidMessage, NotFound, Refused
from storage import parked
from storage.journal import accept
from storage.parked import ParkedCommand
from web.fields import Body
from web.problems import invalid

# Facts about money come from a provider alone: nobody may write one.
EVIDENCE: Final = frozenset({"RecordPaymentOutcome", "RecordRefundOutcome"})

# Who sends another command gives it: that takes what giving it anew would take.
GIVING: Final[Mapping[str, str]] = {
    "CreateSubscription": "subscriptions.write",
    "ChangeSubscription": "subscriptions.write",
    "CancelSubscription": "subscriptions.write",
    "RenewSubscription": "subscriptions.write",
    "EndSubscription": "subscriptions.write",
    "HoldBooking": "bookings.write",
    "CheckOutBooking": "bookings.write",
    "ExpireHold": "bookings.write",
    # These may hold what only a manager decides.
    "RescheduleBooking": "bookings.decide",
    "CancelBooking": "bookings.decide",
    "CompleteBooking": "bookings.write",
    "MarkNoShow": "bookings.write",
    "BlockHall": "bookings.decide",
    "UnblockHall": "bookings.decide",
    "IssueInvoice": "invoices.write",
    "VoidInvoice": "invoices.write",
    "ExpireInvoice": "invoices.write",
    "StartPayment": "invoices.write",
    "RequestRefund": "refunds.request",
    "ApproveRefund": "refunds.decide",
    "RejectRefund": "refunds.decide",
    "DeclineRefund": "refunds.decide",
    "RetryLookUp": "payments.look_up",
}

_STATE = text("SELECT state FROM command_journal WHERE command_id = :command_id")


class EditedCommand(Body):
    """The whole body of the command that is sent instead. Its name and its studio stay."""

    body: Annotated[dict[str, JsonValue], Field(json_schema_extra=widget("json"))]


class WhyDiscard(Body):
    """Whoever sent the command is told that it was given up, and why."""

    reason: Reason


def _driver(connection: Connection) -> parked.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _get(connection: Connection, command_id: UUID, *, lock: bool = False) -> ParkedCommand:
    """Raises NotFound, also for a command of another studio, and Refused for one that is parked no more."""
    command = parked.find_parked_command(_driver(connection), command_id, lock=lock)
    if command is not None:
        return command
    state = connection.scalar(_STATE, {"command_id": command_id})
    if state is None:
        raise NotFound(what="command", id=str(command_id))
    raise Refused("not_parked", state=state)


def _body_of(command: ParkedCommand) -> bytes:
    if command.body is None:
        raise Refused("body_is_gone", command_id=str(command.command_id))
    return command.body


def _edited(desk: Desk, command: ParkedCommand, body: EditedCommand) -> Command:
    """The command that `body` says. Raises Refused, Problem 403, and 422 with the fields that are wrong."""
    if command.kind in EVIDENCE:
        raise Refused("evidence_is_not_edited", kind=command.kind)
    if command.kind in GIVING:
        desk.require(GIVING[command.kind])
    try:
        edited = decode_command(command.kind, command.schema_version, canonical_json(body.body))
    except InvalidMessage as error:
        fields = error.facts.get("fields")
        places = fields if isinstance(fields, list) else []
        raise invalid(*((f"body.body.{place}", error.code) for place in places or [""])) from error
    if edited.studio_id != desk.studio_id:
        raise invalid(("body.body.studio_id", "not_this_studio"))
    return edited


def _replay(desk: Desk, sent: ActionRequest, command_id: UUID, _body: Nothing) -> Done:
    again: list[Envelope] = []

    def write(connection: Connection) -> Change:
        command = _get(connection, command_id, lock=True)
        _body_of(command)
        again.append(parked.put_back(_driver(connection), command_id))
        facts = {"command_id": command_id, "kind": command.kind, "problem": command.problem}
        return Change({"state": "parked"}, {"state": "accepted"}, facts)

    write_once(desk, sent, "replay_command", command_id, write)
    for envelope in again:
        desk.outlet.publish(envelope)
    return Done(operation=command_id, subject_id=command_id)


def _discard(desk: Desk, sent: ActionRequest, command_id: UUID, body: WhyDiscard) -> Done:
    def write(connection: Connection) -> Change:
        command = _get(connection, command_id, lock=True)
        parked.refuse(_driver(connection), command_id, {"code": "discarded", "reason": body.reason})
        facts = {"kind": command.kind, "problem": command.problem, "reason": body.reason}
        return Change({"state": "parked"}, {"state": "refused"}, facts)

    write_once(desk, sent, "discard_command", command_id, write)
    return Done(subject_id=command_id)


def _edit(desk: Desk, sent: ActionRequest, command_id: UUID, body: EditedCommand) -> Done:
    new_id = made_id(desk, sent, "command")
    new: list[Envelope] = []

    def write(connection: Connection) -> Change:
        command = _get(connection, command_id, lock=True)
        edited = _edited(desk, command, body)
        accepted = accept(
            connection,
            edited,
            command_id=new_id,
            request_hash=sent.request_hash,
            principal=desk.principal,
            correlation_id=sent.correlation_id,
            causation_id=command_id,
        )
        assert accepted.envelope is not None, "this request has written nothing before"
        new.append(accepted.envelope)
        replaced = {"code": "replaced", "by": str(new_id)}
        parked.refuse(_driver(connection), command_id, replaced)
        change = changed(orjson.loads(_body_of(command)), edited.model_dump(mode="json"))
        return Change(change.before, change.after, {"command_id": new_id, "kind": command.kind})

    write_once(desk, sent, "edit_command", command_id, write)
    for envelope in new:
        desk.outlet.publish(envelope)
    return Done(operation=new_id, subject_id=command_id)


def _foresee_replay(desk: Desk, command_id: UUID, _body: Nothing) -> Effect:
    with desk.transaction() as connection:
        command = _get(connection, command_id)
        try:
            again = decode_command(command.kind, command.schema_version, _body_of(command))
        except InvalidMessage as error:
            return Effect(refusal={"code": error.code})
        return effect_of(connection, again)


def _foresee_edit(desk: Desk, command_id: UUID, body: EditedCommand) -> Effect:
    with desk.transaction() as connection:
        return effect_of(connection, _edited(desk, _get(connection, command_id), body))


def _foresee_discard(desk: Desk, command_id: UUID, _body: WhyDiscard) -> Effect:
    with desk.transaction() as connection:
        return Effect((EffectLine("command.discarded", {"kind": _get(connection, command_id).kind}),))


def _as_it_is(connection: Connection, command_id: UUID) -> dict[str, JsonValue]:
    try:
        return {"body": orjson.loads(_body_of(_get(connection, command_id)))}
    except orjson.JSONDecodeError:
        return {"body": {}}


def _is_parked(connection: Connection, command_id: UUID) -> bool:
    return parked.find_parked_command(_driver(connection), command_id) is not None


def _may_replay(connection: Connection, command_id: UUID) -> bool:
    command = parked.find_parked_command(_driver(connection), command_id)
    return command is not None and command.body is not None


def _may_edit(connection: Connection, command_id: UUID) -> bool:
    command = parked.find_parked_command(_driver(connection), command_id)
    return command is not None and command.body is not None and command.kind not in EVIDENCE


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="replay_command",
        permission="parked.write",
        path="/parked/{subject_id}/replay",
        subject="parked",
        body=Nothing,
        run=_replay,
        preview=_foresee_replay,
        is_open=_may_replay,
        is_dangerous=True,
        summary="Send a parked command again, as it is",
    ),
    Action(
        name="edit_command",
        permission="parked.write",
        path="/parked/{subject_id}/edit",
        subject="parked",
        body=EditedCommand,
        run=_edit,
        preview=_foresee_edit,
        initial=_as_it_is,
        is_open=_may_edit,
        is_dangerous=True,
        is_command=True,
        summary="Send another command in place of a parked one",
    ),
    Action(
        name="discard_command",
        permission="parked.write",
        path="/parked/{subject_id}/discard",
        subject="parked",
        body=WhyDiscard,
        run=_discard,
        preview=_foresee_discard,
        is_open=_is_parked,
        is_dangerous=True,
        summary="Give a parked command up",
    ),
)
