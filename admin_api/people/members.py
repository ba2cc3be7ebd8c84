"""Members of the staff: role and name, coming back, being sent away; and one's own password and language.

In one studio one such change is made at a time: of two owners who press at the same moment the second one
sees what the first one did. The studio always keeps one active owner.
"""

from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from admin_api.desk import Desk
from admin_api.people.invitations import revoke_invitations_of
from admin_api.permissions import STUDIO_ROLES, Role, may
from storage.staff import end_sign_ins
from web.passwords import hash_password
from web.problems import Problem, not_found, unauthenticated
from web.throttle import Trier, prove

INVITING: Final = "staff.write"

# One lock instead of one on each owner: whoever waited for a row keeps it locked, also when the row is no
# owner's any more, and two such waiters would wait for each other.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('staff ' || :studio_id, 0))")
_LIST_OWNERS = text("""
    SELECT id FROM staff_member
    WHERE studio_id = :studio_id AND role = 'owner' AND deactivated_at IS NULL
""")
_LOCK_MEMBER = text("SELECT id, name, role, deactivated_at FROM staff_member WHERE id = :id FOR UPDATE")
_CHANGE = text("UPDATE staff_member SET name = :name, role = :role WHERE id = :id")
_DEACTIVATE = text("UPDATE staff_member SET deactivated_at = :now WHERE id = :id")
_REACTIVATE = text("UPDATE staff_member SET deactivated_at = NULL WHERE id = :id")
_FIND_PASSWORD = text("SELECT password_hash FROM staff_member WHERE id = :id")
# Of two changes at once the one whose old password is still the password.
_SET_PASSWORD = text("""
    UPDATE staff_member SET password_hash = :new_hash
    WHERE id = :id AND password_hash = :old_hash AND deactivated_at IS NULL
""")
_SET_LANGUAGE = text("UPDATE staff_member SET locale = :locale WHERE id = :id")


def change_staff(desk: Desk, member_id: UUID, name: str, role: Role) -> None:
    """Gives a member of the studio another role or name; sign-ins have the new role at once.

    Raises Problem 404, 403 for a platform's admin, 409 `last_owner` and `own_account`.
    """
    with desk.transaction() as connection:
        owners = _owners_held_still(connection, desk)
        member = _lock_member(connection, member_id)
        is_owner_lost = member.role == "owner" and role != "owner"
        _check(desk, owners, member, is_owner_lost=is_owner_lost, is_not_for_oneself=role != member.role)
        if (member.name, member.role) == (name, role):
            return
        connection.execute(_CHANGE, {"id": member_id, "name": name, "role": role})
        facts: dict[str, object] = {"is_renamed": name != member.name}
        if may(member.role, INVITING) and not may(role, INVITING):
            facts["revoked_invitations"] = revoke_invitations_of(connection, desk, member_id)
        desk.audit(
            connection, "change_staff", member_id,
            before={"role": member.role}, after={"role": role}, facts=facts,
        )  # fmt: skip


def deactivate_staff(desk: Desk, member_id: UUID) -> None:
    """Sends a member away: all their sign-ins and tokens end, and the invitations they sent close.

    Raises Problem 404, 403 for a platform's admin, 409 `last_owner` and `own_account`.
    """
    with desk.transaction() as connection:
        owners = _owners_held_still(connection, desk)
        member = _lock_member(connection, member_id)
        _check(desk, owners, member, is_owner_lost=member.role == "owner", is_not_for_oneself=True)
        if member.deactivated_at is not None:
            return
        connection.execute(_DEACTIVATE, {"id": member_id, "now": desk.now})
        facts: dict[str, object] = {
            "ended_sign_ins": end_sign_ins(connection, member_id, desk.now),
            "revoked_invitations": revoke_invitations_of(connection, desk, member_id),
        }
        desk.audit(
            connection, "deactivate_staff", member_id,
            before={"is_active": True}, after={"is_active": False}, facts=facts,
        )  # fmt: skip


def reactivate_staff(desk: Desk, member_id: UUID) -> None:
    """Lets a member sign in again, with the role they had; no old sign-in comes back. As deactivate_staff."""
    with desk.transaction() as connection:
        owners = _owners_held_still(connection, desk)
        member = _lock_member(connection, member_id)
        _check(desk, owners, member, is_owner_lost=False, is_not_for_oneself=True)
        if member.deactivated_at is None:
            return
        connection.execute(_REACTIVATE, {"id": member_id})
        desk.audit(
            connection, "reactivate_staff", member_id,
            before={"is_active": False}, after={"is_active": True, "role": member.role},
        )  # fmt: skip


def change_password(desk: Desk, old_password: str, new_password: str) -> None:
    """Sets one's own password and ends one's other sign-ins and tokens: whoever knew the old one is out.

    Raises Problem 403 `wrong_credentials`, 429 `too_many_tries` and 503.
    """
    with desk.transaction() as connection:
        old_hash: str | None = connection.scalar(_FIND_PASSWORD, {"id": desk.person.id})
    trier = Trier(desk.studio_id, "staff", desk.person.email, desk.remote_address)
    is_right = prove(desk.engine, trier, old_password, old_hash, desk.now)
    new_hash = hash_password(new_password) if is_right else None
    with desk.transaction() as connection:
        row = {"id": desk.person.id, "old_hash": old_hash, "new_hash": new_hash}
        if is_right and connection.execute(_SET_PASSWORD, row).rowcount == 1:
            ended = end_sign_ins(connection, desk.person.id, desk.now, kept_id=desk.person.session_id)
            desk.audit(connection, "change_password", desk.person.id, facts={"ended_sign_ins": ended})
            return
        desk.audit(connection, "change_password_failed", desk.person.id)
    raise Problem(403, "wrong_credentials")


def set_language(desk: Desk, locale: Literal["ru", "en"]) -> None:
    """The language of one's own pages."""
    with desk.transaction() as connection:
        if locale == desk.person.locale:
            return
        connection.execute(_SET_LANGUAGE, {"id": desk.person.id, "locale": locale})
        desk.audit(
            connection, "set_language", desk.person.id,
            before={"locale": desk.person.locale}, after={"locale": locale},
        )  # fmt: skip


def _owners_held_still(connection: Connection, desk: Desk) -> list[UUID]:
    connection.execute(_ONE_AT_A_TIME, {"studio_id": str(desk.studio_id)})
    return list(connection.scalars(_LIST_OWNERS, {"studio_id": desk.studio_id}))


def _lock_member(connection: Connection, member_id: UUID) -> Row[tuple[object, ...]]:
    member = connection.execute(_LOCK_MEMBER, {"id": member_id}).one_or_none()
    if member is None:
        raise not_found()
    return member


def _check(
    desk: Desk,
    owners: list[UUID],
    member: Row[tuple[object, ...]],
    *,
    is_owner_lost: bool,
    is_not_for_oneself: bool,
) -> None:
    if member.role not in STUDIO_ROLES:
        raise Problem(403, "forbidden")
    if is_owner_lost and owners == [member.id]:
        raise Problem(409, "last_owner")
    if is_not_for_oneself and member.id == desk.person.id:
        raise Problem(409, "own_account")
    if desk.person.id not in owners:
        # Was one when the request came, and is none any more.
        raise unauthenticated()
