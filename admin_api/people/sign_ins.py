"""Tokens for programs, and ending sign-ins: one's own, or anybody's for who may change the staff."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from admin_api.desk import Desk
from admin_api.people.invitations import row_id
from admin_api.people.presence import stay
from admin_api.people.sign_in import insert_sign_in
from admin_api.people.tokens import Issued, SignedIn, SignInKind, secret_of
from kit.errors import Refused
from web.commands import CommandRequest
from web.problems import Problem, not_found

TOKEN_DAYS_MAX: Final = 365
LIVE_TOKENS_MAX: Final = 100

_FIND_LABEL = text("SELECT label FROM session WHERE id = :id")
_COUNT_LIVE = text("""
    SELECT count(*) FROM session
    WHERE staff_member_id = :staff_member_id AND kind = 'token' AND revoked_at IS NULL AND expires_at > :now
""")
_FIND = text("""
    SELECT staff_member_id, revoked_at FROM session WHERE id = :id AND kind = :kind FOR UPDATE
""")
_END = text("UPDATE session SET revoked_at = :now WHERE id = :id")


def create_token(desk: Desk, sent: CommandRequest, label: str, days: int) -> Issued:
    """A token of one's own with one's own role, for `days`. Idempotent by the request's key.

    Raises Problem 409 `too_many_tokens`, 401, and Refused `idempotency_key_reused`.
    """
    token_id = row_id(desk, sent, "token")
    issued = Issued(token_id, secret_of(desk.services.settings.form_key, "token", token_id))
    with desk.transaction() as connection:
        stay(connection, desk)
        first = connection.execute(_FIND_LABEL, {"id": token_id}).one_or_none()
        if first is not None and first.label != label:
            raise Refused("idempotency_key_reused")
        if first is None:
            _write_token(connection, desk, issued, label, days)
    return issued


def _write_token(connection: Connection, desk: Desk, issued: Issued, label: str, days: int) -> None:
    row = {"staff_member_id": desk.person.id, "now": desk.now}
    if (connection.scalar(_COUNT_LIVE, row) or 0) >= LIVE_TOKENS_MAX:
        raise Problem(409, "too_many_tokens", limit=LIVE_TOKENS_MAX)
    token = SignedIn(issued.secret, desk.now + timedelta(days=days))
    insert_sign_in(connection, issued.id, desk.studio_id, desk.person.id, token, "token", label, desk.now)
    after: dict[str, object] = {"label": label, "expires_at": token.expires_at.isoformat()}
    desk.audit(connection, "create_token", issued.id, after=after)


def revoke_token(desk: Desk, token_id: UUID) -> None:
    """Ends a token at once. Raises Problem 404 for a token that is not the person's to end."""
    _end(desk, token_id, "token", "revoke_token")


def end_sign_in(desk: Desk, sign_in_id: UUID) -> None:
    """Ends a sign-in in a browser at once. Raises Problem 404 for one that is not the person's to end."""
    _end(desk, sign_in_id, "browser", "end_sign_in")


def _end(desk: Desk, sign_in_id: UUID, kind: SignInKind, action: str) -> None:
    with desk.transaction() as connection:
        found = connection.execute(_FIND, {"id": sign_in_id, "kind": kind}).one_or_none()
        is_own = found is not None and found.staff_member_id == desk.person.id
        if found is None or not (is_own or desk.person.may("staff.write")):
            raise not_found()
        if found.revoked_at is None:
            connection.execute(_END, {"id": sign_in_id, "now": desk.now})
            desk.audit(
                connection, action, sign_in_id,
                before={"is_live": True}, after={"is_live": False},
                facts={"staff_member_id": found.staff_member_id},
            )  # fmt: skip
