"""Direct writes: what staff changes that is no machine's state, each once and each in the audit.

Called by the rooms of actions that write people, the catalog, contracts and parked commands. A form that is
sent twice is one write: the first one's row in the audit is what the second finds.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.actions.action import ActionRequest
from admin_api.desk import Desk
from kit.errors import Refused
from kit.ids import derived_id

# Whoever sends the same request at the same time waits here for the first.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:request_id, 0))")
_FIND = text("""
    SELECT facts ->> 'request_hash' FROM audit
    WHERE subject_id = :subject_id AND action = :action AND facts ->> 'request_id' = :request_id
""")


@dataclass(frozen=True, slots=True)
class Change:
    """What a direct write did: the columns that it changed, and what else the audit should know."""

    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    facts: Mapping[str, object] | None = None


def made_id(desk: Desk, sent: ActionRequest, what: str) -> UUID:
    """The id of what a request creates: sent again, it is the same one."""
    return derived_id(what, desk.studio_id, desk.principal, sent.method, sent.path, sent.key)


def write_once(
    desk: Desk,
    sent: ActionRequest,
    action: str,
    subject_id: UUID,
    write: Callable[[Connection], Change],
) -> None:
    """Writes and audits in one transaction, unless this very request has done so before.

    Raises what `write` raises, and Refused (`idempotency_key_reused`).
    """
    request_id = str(made_id(desk, sent, "request"))
    # Keyed: the body may hold a secret that could be guessed from a bare hash.
    form_key = desk.services.settings.form_key.get_secret_value().encode()
    request_hash = hmac.digest(form_key, sent.request_hash, "sha256").hex()
    with desk.transaction() as connection:
        connection.execute(_ONE_AT_A_TIME, {"request_id": request_id})
        named = {"subject_id": subject_id, "action": action, "request_id": request_id}
        first_hash = connection.scalar(_FIND, named)
        if first_hash is None:
            _write(desk, connection, action, subject_id, write, request_id, request_hash)
        elif first_hash != request_hash:
            raise Refused("idempotency_key_reused")


def _write(
    desk: Desk,
    connection: Connection,
    action: str,
    subject_id: UUID,
    write: Callable[[Connection], Change],
    request_id: str,
    request_hash: str,
) -> None:
    change = write(connection)
    desk.audit(
        connection,
        action,
        subject_id,
        before=None if change.before is None else dict(change.before),
        after=None if change.after is None else dict(change.after),
        facts={**(change.facts or {}), "request_id": request_id, "request_hash": request_hash},
    )


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> Change:
    """The columns of `after` that are not as before."""
    names = [name for name, value in after.items() if before.get(name) != value]
    return Change({name: before.get(name) for name in names}, {name: after[name] for name in names})
