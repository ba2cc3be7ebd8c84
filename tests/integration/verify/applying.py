"""Commands as they come: accepted, with the callback or call that stands behind them, and applied at once."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, text

from bus.messages import Command, RecordRefundOutcome, encode
from cli.demo import DEMO_PROVIDER_ACCOUNT_ID, DEMO_STUDIO_ID
from kit.ids import new_id, sha256
from state_updater.apply import Received, apply_group
from storage.database import connect_as
from storage.journal import accept
from tests.databases import owner_engine

_ACCOUNT = {"studio_id": DEMO_STUDIO_ID, "provider_account_id": DEMO_PROVIDER_ACCOUNT_ID}
_CALLBACK = text("""
    INSERT INTO callback_inbox (id, studio_id, provider_account_id, kind, deduplication_hash, signature,
        command_id)
    VALUES (:id, :studio_id, :provider_account_id, :kind, sha256(CAST(:id AS text)::bytea), 'signed',
        :command_id)
""")
_CALL = text("""
    INSERT INTO provider_call (id, studio_id, kind, attempt_id, refund_id, call_number, request_id, body_hash,
        started_at, lease_until, outcome, finished_at)
    VALUES (:id, :studio_id, :kind, :attempt_id, :refund_id, :number, :id, '', now(), now(), 'told', now())
""")


@dataclass
class Applied:
    """The database that they are applied to."""

    url: str

    @property
    def engine(self) -> Engine:
        return owner_engine(self.url)

    def apply(self, command: Command, principal: str = "customer:test") -> None:
        """Accepts and applies one command, with the callback or call that stands behind it."""
        command_id = new_id()
        with self.engine.begin() as connection:
            accept(
                connection,
                command,
                command_id=command_id,
                request_hash=sha256(b"request"),
                principal=principal,
                correlation_id="test",
            )
            if principal.startswith("callback:"):
                kind = "refund" if isinstance(command, RecordRefundOutcome) else "pay"
                connection.execute(
                    _CALLBACK, {"id": new_id(), "kind": kind, "command_id": command_id} | _ACCOUNT
                )
        received = Received(command_id, sha256(encode(command)), command)
        with connect_as(self.url, "billbus_updater", "history") as updater:
            apply_group(updater, [received])

    def call(
        self, kind: str, number: int, *, attempt_id: UUID | None = None, refund_id: UUID | None = None
    ) -> None:
        """A finished call to the provider."""
        with self.engine.begin() as connection:
            row = {
                "id": new_id(),
                "kind": kind,
                "number": number,
                "attempt_id": attempt_id,
                "refund_id": refund_id,
            }
            connection.execute(_CALL, row | {"studio_id": DEMO_STUDIO_ID})
