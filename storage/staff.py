"""Staff: the rows of members, invitations and sign-ins that both the admin and the CLI write.

Each function writes one thing in the caller's transaction; who may do it, and the audit, are the caller's.
Passwords and tokens come here as hashes only.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from kit.ids import derived_id

INVITATION_LIFETIME: Final = timedelta(days=7)
STAFF_ROLES: Final = ("owner", "manager", "support", "ops", "platform_admin")

_CLOSE_INVITATIONS_TO = text("""
    UPDATE invitation SET revoked_at = :now
    WHERE studio_id = :studio_id AND email = :email AND id <> :id
      AND accepted_at IS NULL AND revoked_at IS NULL
""")
_INVITE = text("""
    INSERT INTO invitation (id, studio_id, email, role, invited_by, token_hash, created_at, expires_at)
    VALUES (:id, :studio_id, :email, :role, :invited_by, :token_hash, :now, :expires_at)
    ON CONFLICT (id) DO NOTHING
""")
_FIND_BY_EMAIL = text("""
    SELECT id, email, name, role, locale, deactivated_at, password_hash
    FROM staff_member WHERE studio_id = :studio_id AND email = :email
""")
_INSERT_MEMBER = text("""
    INSERT INTO staff_member (id, studio_id, email, name, role, locale, password_hash)
    VALUES (:id, :studio_id, :email, :name, :role, :locale, :password_hash)
    ON CONFLICT (studio_id, email) DO NOTHING
""")
_END_SIGN_INS = text("""
    UPDATE session SET revoked_at = :now
    WHERE staff_member_id = :staff_member_id AND revoked_at IS NULL AND id IS DISTINCT FROM :kept_id
""")


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A member as whoever checks a password needs it."""

    id: UUID
    email: str
    name: str
    role: str
    locale: str
    deactivated_at: datetime | None
    password_hash: str | None = field(repr=False)


def invite(
    connection: Connection,
    invitation_id: UUID,
    *,
    studio_id: UUID,
    email: str,
    role: str,
    invited_by: str,
    token_hash: bytes,
    now: datetime,
) -> bool:
    """An invitation for INVITATION_LIFETIME; it replaces the open ones to the same e-mail.

    `email` is in lower case; `invited_by` is a principal. False when this invitation is there already.
    """
    row = {
        "id": invitation_id,
        "studio_id": studio_id,
        "email": email,
        "role": role,
        "invited_by": invited_by,
        "token_hash": token_hash,
        "now": now,
        "expires_at": now + INVITATION_LIFETIME,
    }
    connection.execute(_CLOSE_INVITATIONS_TO, row)
    return connection.execute(_INVITE, row).rowcount == 1


def find_staff_by_email(connection: Connection, studio_id: UUID, email: str) -> StaffRow | None:
    """Deactivated ones too. `email` is in lower case."""
    row = connection.execute(_FIND_BY_EMAIL, {"studio_id": studio_id, "email": email}).one_or_none()
    return StaffRow(*row) if row else None


def insert_staff_member(connection: Connection, studio_id: UUID, member: StaffRow) -> bool:
    """False when the studio has a member with this e-mail, active or not."""
    row = {
        "id": member.id,
        "studio_id": studio_id,
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "locale": member.locale,
        "password_hash": member.password_hash,
    }
    return connection.execute(_INSERT_MEMBER, row).rowcount == 1


def end_sign_ins(
    connection: Connection, staff_member_id: UUID, now: datetime, kept_id: UUID | None = None
) -> int:
    """Ends every sign-in and token of a member except `kept_id`; how many there were, expired ones too."""
    row = {"staff_member_id": staff_member_id, "now": now, "kept_id": kept_id}
    return connection.execute(_END_SIGN_INS, row).rowcount


def member_id_of(invitation_id: UUID) -> UUID:
    """Who accepts an invitation has this id: accepting twice makes nobody twice."""
    return derived_id("staff_member", invitation_id)
