"""Invitations: a link, shown once to whoever invites, with which somebody becomes a member of the staff.

Nobody hands on more than they have: the studio's roles are given by its owners, the platform's by the
platform. A new invitation to an e-mail closes the older ones; who loses the right to invite takes the open
ones along.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.desk import Desk, Services
from admin_api.people.presence import stay
from admin_api.people.sign_in import Arrival, enter
from admin_api.people.tokens import TOKEN_LENGTH_LIMIT, Issued, SignedIn, SignInKind, secret_of, token_hash
from admin_api.permissions import Role
from kit.errors import Refused
from kit.ids import derived_id
from storage.audit import write_audit
from storage.database import tenant
from storage.staff import StaffRow, find_staff_by_email, insert_staff_member, invite, member_id_of
from web.commands import CommandRequest
from web.credentials import same_email
from web.passwords import hash_password
from web.problems import Problem, not_found

OPEN_INVITATIONS_MAX: Final = 100

_FIND = text("SELECT email, role FROM invitation WHERE id = :id")
_COUNT_OPEN = text("""
    SELECT count(*) FROM invitation
    WHERE studio_id = :studio_id AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > :now
""")
_FIND_BY_TOKEN = text("""
    SELECT id, email, role,
        accepted_at IS NULL AND revoked_at IS NULL AND expires_at > :now AS is_open
    FROM invitation WHERE token_hash = :token_hash
""")
# One accept alone gets a row back, also of two at once.
_ACCEPT = text("""
    UPDATE invitation SET accepted_at = :now
    WHERE id = :id AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > :now
""")
_REVOKE = text("""
    UPDATE invitation SET revoked_at = :now
    WHERE id = :id AND accepted_at IS NULL AND revoked_at IS NULL RETURNING role
""")
_REVOKE_OF = text("""
    UPDATE invitation SET revoked_at = :now
    WHERE studio_id = :studio_id AND invited_by = :invited_by AND accepted_at IS NULL AND revoked_at IS NULL
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Invited:
    """An open invitation, as its page shows it."""

    id: UUID
    email: str
    role: Role


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody who accepts says of themselves. The password goes to the hasher alone."""

    name: str
    locale: Literal["ru", "en"]


def invite_staff(desk: Desk, sent: CommandRequest, email: str, role: Role) -> Issued:
    """An invitation and its secret. Idempotent by the request's key.

    Raises Problem 409 `email_taken` (a deactivated member is reactivated, not invited) and
    `too_many_invitations`, 401 for who may not any more, and Refused `idempotency_key_reused`.
    """
    email, invitation_id = same_email(email), row_id(desk, sent, "invitation")
    issued = Issued(invitation_id, secret_of(desk.services.settings.form_key, "invitation", invitation_id))
    with desk.transaction() as connection:
        stay(connection, desk)
        first = connection.execute(_FIND, {"id": invitation_id}).one_or_none()
        if first is not None and (first.email, first.role) != (email, role):
            raise Refused("idempotency_key_reused")
        if first is None:
            _check_may_be_invited(connection, desk, email)
            _write_invitation(connection, desk, issued, email, role)
    return issued


def _check_may_be_invited(connection: Connection, desk: Desk, email: str) -> None:
    if find_staff_by_email(connection, desk.studio_id, email) is not None:
        raise Problem(409, "email_taken")
    row = {"studio_id": desk.studio_id, "now": desk.now}
    if (connection.scalar(_COUNT_OPEN, row) or 0) >= OPEN_INVITATIONS_MAX:
        raise Problem(409, "too_many_invitations", limit=OPEN_INVITATIONS_MAX)


def _write_invitation(connection: Connection, desk: Desk, issued: Issued, email: str, role: Role) -> None:
    is_new = invite(
        connection,
        issued.id,
        studio_id=desk.studio_id,
        email=email,
        role=role,
        invited_by=desk.principal,
        token_hash=token_hash(issued.secret),
        now=desk.now,
    )
    if is_new:
        desk.audit(connection, "invite_staff", issued.id, after={"role": role})


def revoke_invitation(desk: Desk, invitation_id: UUID) -> None:
    """Closes an open invitation; a closed one stays as it is. Raises Problem 404."""
    with desk.transaction() as connection:
        if connection.execute(_FIND, {"id": invitation_id}).one_or_none() is None:
            raise not_found()
        role = connection.scalar(_REVOKE, {"id": invitation_id, "now": desk.now})
        if role is not None:
            desk.audit(
                connection, "revoke_invitation", invitation_id,
                before={"role": role, "is_open": True}, after={"role": role, "is_open": False},
            )  # fmt: skip


def revoke_invitations_of(connection: Connection, desk: Desk, member_id: UUID) -> list[UUID]:
    """Closes what a member has sent, in the transaction that takes their right to invite."""
    row = {"studio_id": desk.studio_id, "invited_by": f"staff:{member_id}", "now": desk.now}
    return list(connection.scalars(_REVOKE_OF, row))


def find_invitation(services: Services, studio_id: UUID, token: str) -> Invited | None:
    """What an invitation's page shows; None for a token that is none here, or is none any more."""
    with tenant(services.engine, studio_id) as connection:
        found = _find_by_token(connection, services, token)
    return found[0] if found and found[1] else None


def accept_invitation(
    services: Services,
    studio_id: UUID,
    token: str,
    password: str,
    newcomer: Newcomer,
    *,
    remote_address: str | None,
    correlation_id: str,
    kind: SignInKind = "browser",
) -> SignedIn:
    """Makes the member and signs them in. The member's id follows from the invitation's.

    Raises Problem 404 for an unknown token, 409 `invitation_closed` when it is used, revoked or expired,
    409 `email_taken`, and 503.
    """
    with tenant(services.engine, studio_id) as connection:
        found = _find_by_token(connection, services, token)
    if found is None:
        raise not_found()
    invited, is_open = found
    if not is_open:
        raise Problem(409, "invitation_closed")
    # Outside of a transaction: hashing may wait for its turn.
    member = _member_of(invited, newcomer, hash_password(password))
    arrival = Arrival(studio_id, remote_address, correlation_id)
    with tenant(services.engine, studio_id) as connection:
        _accept(connection, services, arrival, invited, member)
        return enter(connection, arrival, member.id, kind, services.clock())


def _find_by_token(connection: Connection, services: Services, token: str) -> tuple[Invited, bool] | None:
    if len(token) > TOKEN_LENGTH_LIMIT:
        return None
    row = {"token_hash": token_hash(token), "now": services.clock()}
    found = connection.execute(_FIND_BY_TOKEN, row).one_or_none()
    return (Invited(found.id, found.email, found.role), found.is_open) if found else None


def _member_of(invited: Invited, newcomer: Newcomer, password_hash: str) -> StaffRow:
    return StaffRow(
        member_id_of(invited.id),
        invited.email,
        newcomer.name,
        invited.role,
        newcomer.locale,
        None,
        password_hash,
    )


def _accept(
    connection: Connection, services: Services, arrival: Arrival, invited: Invited, member: StaffRow
) -> None:
    row = {"id": invited.id, "now": services.clock()}
    if connection.execute(_ACCEPT, row).rowcount == 0:
        raise Problem(409, "invitation_closed")
    if not insert_staff_member(connection, arrival.studio_id, member):
        raise Problem(409, "email_taken")
    write_audit(
        connection,
        studio_id=arrival.studio_id,
        principal=f"staff:{member.id}",
        action="accept_invitation",
        subject_id=member.id,
        remote_address=arrival.remote_address,
        correlation_id=arrival.correlation_id,
        facts={"invitation_id": invited.id},
        after={"role": member.role},
    )


def row_id(desk: Desk, sent: CommandRequest, kind: str) -> UUID:
    """The id of the row that this very request makes, whenever it is sent again."""
    return derived_id(kind, desk.studio_id, desk.principal, sent.method, sent.path, sent.key)
