"""The audit: who did what, from where. Written in the transaction of what it is about; read elsewhere."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from kit.canonical import canonical_json
from kit.ids import new_id

# Who tried to sign in and did not prove to be anybody.
NOBODY: Final = "nobody"

_INSERT = text("""
    INSERT INTO audit (id, studio_id, principal, action, subject_id, facts, before, after, remote_address,
        correlation_id)
    VALUES (:id, :studio_id, :principal, :action, :subject_id, CAST(:facts AS jsonb), CAST(:before AS jsonb),
        CAST(:after AS jsonb), CAST(:remote_address AS inet), :correlation_id)
""")


def write_audit(
    connection: Connection,
    *,
    studio_id: UUID,
    principal: str,
    action: str,
    subject_id: UUID | None,
    remote_address: str | None,
    correlation_id: str,
    facts: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """`action`: a command's name, an admin action's, or `register`, `sign_in`, `export` and the like.

    `before` and `after` are the columns that a direct write changed. No secrets, and of people ids only.
    """
    row = {
        "id": new_id(),
        "studio_id": studio_id,
        "principal": principal,
        "action": action,
        "subject_id": subject_id,
        "facts": canonical_json(facts or {}).decode(),
        "before": None if before is None else canonical_json(before).decode(),
        "after": None if after is None else canonical_json(after).decode(),
        "remote_address": _address(remote_address),
        "correlation_id": correlation_id,
    }
    connection.execute(_INSERT, row)


def _address(text_of_address: str | None) -> str | None:
    # A server behind a Unix socket, or a test, has peers without an address.
    try:
        return str(ip_address(text_of_address or ""))
    except ValueError:
        return None
