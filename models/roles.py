"""The cluster's roles, one per kind of process. They are not a database's, so no migration makes them.

`billbus db bootstrap` calls this before migrating. None of them may log in or pass row-level security by:
a process logs in as itself and takes its role at connect.
"""

from sqlalchemy import Connection, text

ROLES = (
    "billbus_api",
    "billbus_admin",
    "billbus_updater",
    "billbus_relay",
    "billbus_worker",
    "billbus_events",
    "billbus_cron",
    "billbus_verify",
    "billbus_platform",
)

# PostgreSQL 16 split membership: being a member no longer means that SET ROLE is allowed.
_SET_PRIVILEGE_SINCE = 160_000

# Two bootstraps of one cluster may meet, even from two databases: the loser finds the role there.
_CREATE = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""


def missing_roles(connection: Connection) -> list[str]:
    """The roles of ROLES that this cluster does not have, in that order."""
    found = set(
        connection.scalars(
            text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)"), {"roles": list(ROLES)}
        )
    )
    return [role for role in ROLES if role not in found]


def bootstrap(connection: Connection) -> list[str]:
    """Creates the missing roles and lets the current login take each of them; returns the created ones.

    Needs a superuser or CREATEROLE, and only for what is not there yet. The caller commits. Idempotent.
    """
    missing = missing_roles(connection)
    for role in missing:
        connection.execute(text(_CREATE.format(role=role)))
    for role in _untakeable_roles(connection):
        connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
    return missing


def _untakeable_roles(connection: Connection) -> list[str]:
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0
    privilege = "SET" if version >= _SET_PRIVILEGE_SINCE else "MEMBER"
    rows = connection.scalars(
        text(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)"
            " AND NOT pg_has_role(current_user, oid, :privilege) ORDER BY rolname"
        ),
        {"roles": list(ROLES), "privilege": privilege},
    )
    return list(rows)
