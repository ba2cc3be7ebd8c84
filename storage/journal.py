"""The command journal, as senders use it: a command is accepted when its row here is committed.

One function accepts every command, whoever sends it (API, admin, cron, task, callback). The sender commits,
then publishes the envelope; if that fails the relay publishes it later. `202` means the row, not the broker.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from bus.messages import Command, encode
from bus.port import Envelope
from kit.errors import Refused
from kit.ids import sha256

# By this name consumers wake who waits for answers: the APIs and the relay.
APPLIED_CHANNEL = "billbus_applied"

_INSERT = text("""
    INSERT INTO command_journal (command_id, studio_id, customer_id, partition, kind, schema_version, body,
        body_hash, request_hash, principal, correlation_id, causation_id)
    VALUES (:command_id, :studio_id, :customer_id, :partition, :kind, :schema_version, :body,
        :body_hash, :request_hash, :principal, :correlation_id, :causation_id)
    ON CONFLICT (command_id) DO NOTHING
""")

_FIND = text("SELECT request_hash FROM command_journal WHERE command_id = :command_id")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command in the journal. `envelope` is None when it was there before: nothing to publish."""

    command_id: UUID
    envelope: Envelope | None


def accept(
    connection: Connection,
    command: Command,
    *,
    command_id: UUID,
    request_hash: bytes,
    principal: str,
    correlation_id: str,
    causation_id: UUID | None = None,
) -> Accepted:
    """Writes the command's row in the caller's transaction; publish `envelope` after it has committed.

    Idempotent by `command_id`: a repeat with the same `request_hash` finds the first row and its result, with
    another hash it raises Refused("idempotency_key_reused"). `principal` reads `customer:<id>`,
    `link:<customer id>`, `callback:<id>`, `task:<id>`, `staff:<id>` or `cron:<job>`.
    """
    body = encode(command)
    kind = type(command).__name__
    row = {
        "command_id": command_id,
        "studio_id": command.studio_id,
        "customer_id": command.customer_id,
        "partition": command.partition,
        "kind": kind,
        "schema_version": command.schema_version,
        "body": body,
        "body_hash": sha256(body),
        "request_hash": request_hash,
        "principal": principal,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
    }
    if connection.execute(_INSERT, row).rowcount == 0:
        if connection.execute(_FIND, {"command_id": command_id}).scalar_one() != request_hash:
            raise Refused("idempotency_key_reused", command_id=str(command_id))
        return Accepted(command_id, None)
    envelope = Envelope(
        message_id=command_id,
        route=str(command.partition),
        kind=kind,
        schema_version=command.schema_version,
        body=body,
        correlation_id=correlation_id,
        studio_id=command.studio_id,
        causation_id=causation_id,
    )
    return Accepted(command_id, envelope)
