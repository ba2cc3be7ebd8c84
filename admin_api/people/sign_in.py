"""Signing in and out, and finding who is signed in.

A sign-in is a row of `session` of kind browser or token; the two never stand in for each other. It ends when
it expires, is ended, or its person is deactivated.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.desk import Desk, Person, Services
from admin_api.people.tokens import TOKEN_LENGTH_LIMIT, SignedIn, SignInKind, new_token, token_hash
from kit.ids import new_id
from storage.audit import NOBODY, write_audit
from storage.database import tenant
from storage.staff import StaffRow, find_staff_by_email
from web.credentials import PASSWORD_LENGTH_MAX, is_email, same_email
from web.problems import Problem
from web.throttle import Trier, prove

SIGN_IN_LIFETIME: Final = timedelta(hours=12)
SIGN_IN_LABEL: Final = "sign-in"

_FIND_PERSON = text("""
    SELECT m.id, m.studio_id, s.id AS session_id, m.email, m.name, m.role, m.locale
    FROM session s JOIN staff_member m ON m.studio_id = s.studio_id AND m.id = s.staff_member_id
    WHERE s.token_hash = :token_hash AND s.kind = :kind AND s.revoked_at IS NULL AND s.expires_at > :now
      AND m.deactivated_at IS NULL
""")
# Who is deactivated or changes the password at this moment holds the row: a sign-in that was proven before
# must not be written after.
_LOCK_PROVEN = text("""
    SELECT 1 FROM staff_member
    WHERE id = :id AND deactivated_at IS NULL AND password_hash = :password_hash FOR SHARE
""")
_INSERT_SIGN_IN = text("""
    INSERT INTO session (id, studio_id, staff_member_id, family_id, token_hash, created_at, expires_at, kind,
        label)
    VALUES (:id, :studio_id, :staff_member_id, :id, :token_hash, :now, :expires_at, :kind, :label)
    ON CONFLICT (id) DO NOTHING
""")
_END = text("UPDATE session SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where somebody who is not signed in yet stands, for the audit."""

    studio_id: UUID
    remote_address: str | None
    correlation_id: str


def find_person(connection: Connection, token: str, kind: SignInKind, now: datetime) -> Person | None:
    """Who has this living token in the connection's studio; None for any other, whatever is wrong with it."""
    if len(token) > TOKEN_LENGTH_LIMIT:
        return None
    row = {"token_hash": token_hash(token), "kind": kind, "now": now}
    found = connection.execute(_FIND_PERSON, row).one_or_none()
    return Person(*found) if found else None


def sign_in(
    services: Services,
    studio_id: UUID,
    email: str,
    password: str,
    *,
    remote_address: str | None,
    correlation_id: str,
    kind: SignInKind = "browser",
) -> SignedIn:
    """Signs a member in for SIGN_IN_LIFETIME.

    Raises Problem 401 `wrong_credentials`, the same and as slow for everybody who may not come in, 429
    `too_many_tries` with Retry-After, and 503.
    """
    if not is_email(same_email(email)) or len(password) > PASSWORD_LENGTH_MAX:
        # Nobody can be called so: nothing to count and nothing to hide.
        raise _wrong_credentials()
    arrival = Arrival(studio_id, remote_address, correlation_id)
    with tenant(services.engine, studio_id) as connection:
        member = find_staff_by_email(connection, studio_id, same_email(email))
    password_hash = member.password_hash if member and member.deactivated_at is None else None
    trier = Trier(studio_id, "staff", email, remote_address)
    is_right = prove(services.engine, trier, password, password_hash, services.clock())
    with tenant(services.engine, studio_id) as connection:
        if is_right and member is not None and _is_still_proven(connection, member):
            return enter(connection, arrival, member.id, kind, services.clock())
        _audit(connection, arrival, NOBODY, "sign_in_failed", member.id if member else None)
    # Only here, after the commit: refusing inside would undo the audit.
    raise _wrong_credentials()


def enter(
    connection: Connection, arrival: Arrival, member_id: UUID, kind: SignInKind, now: datetime
) -> SignedIn:
    """A sign-in for a member whose identity is proven, in the caller's transaction."""
    signed_in = SignedIn(new_token(), now + SIGN_IN_LIFETIME)
    sign_in_id = new_id()
    label = SIGN_IN_LABEL if kind == "token" else None
    insert_sign_in(connection, sign_in_id, arrival.studio_id, member_id, signed_in, kind, label, now)
    _audit(connection, arrival, f"staff:{member_id}", "sign_in", member_id, sign_in_id)
    return signed_in


def insert_sign_in(
    connection: Connection,
    sign_in_id: UUID,
    studio_id: UUID,
    member_id: UUID,
    signed_in: SignedIn,
    kind: SignInKind,
    label: str | None,
    now: datetime,
) -> bool:
    """False when this sign-in is there already."""
    row = {
        "id": sign_in_id,
        "studio_id": studio_id,
        "staff_member_id": member_id,
        "token_hash": token_hash(signed_in.token),
        "now": now,
        "expires_at": signed_in.expires_at,
        "kind": kind,
        "label": label,
    }
    return connection.execute(_INSERT_SIGN_IN, row).rowcount == 1


def sign_out(desk: Desk) -> None:
    """Ends the sign-in or token of this request; signed out already is signed out."""
    with desk.transaction() as connection:
        row = {"id": desk.person.session_id, "now": desk.now}
        if connection.execute(_END, row).rowcount:
            facts: dict[str, object] = {"sign_in_id": desk.person.session_id}
            desk.audit(connection, "sign_out", desk.person.id, facts=facts)


def _is_still_proven(connection: Connection, member: StaffRow) -> bool:
    row = {"id": member.id, "password_hash": member.password_hash}
    return connection.scalar(_LOCK_PROVEN, row) is not None


def _audit(
    connection: Connection,
    arrival: Arrival,
    principal: str,
    action: str,
    member_id: UUID | None,
    sign_in_id: UUID | None = None,
) -> None:
    write_audit(
        connection,
        studio_id=arrival.studio_id,
        principal=principal,
        action=action,
        subject_id=member_id,
        remote_address=arrival.remote_address,
        correlation_id=arrival.correlation_id,
        facts={"realm": "staff"} if sign_in_id is None else {"sign_in_id": sign_in_id},
    )


def _wrong_credentials() -> Problem:
    return Problem(401, "wrong_credentials", headers={"WWW-Authenticate": "Bearer"})
