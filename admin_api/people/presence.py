"""Whether who asks is still who they were when the request came.

Asked in the transaction that hands out something lasting, an invitation or a token: a member who is being
sent away, or a thief whose sign-in is being ended, gets nothing out at the last moment.
"""

from sqlalchemy import Connection, text

from admin_api.desk import Desk
from web.problems import unauthenticated

# Held until the commit. FOR UPDATE also makes one person's requests wait for each other: limits are exact.
_LOCK_MEMBER = text("""
    SELECT 1 FROM staff_member WHERE id = :id AND role = :role AND deactivated_at IS NULL FOR UPDATE
""")
# A statement of its own, after the lock: it must see what the one that held the lock has ended.
_FIND_SIGN_IN = text("SELECT 1 FROM session WHERE id = :session_id AND revoked_at IS NULL")


def stay(connection: Connection, desk: Desk) -> None:
    """Raises Problem 401 when the person's role, account or sign-in has ended meanwhile."""
    person = desk.person
    is_member = connection.scalar(_LOCK_MEMBER, {"id": person.id, "role": person.role})
    if is_member is None or connection.scalar(_FIND_SIGN_IN, {"session_id": person.session_id}) is None:
        raise unauthenticated()
