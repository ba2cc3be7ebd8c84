"""Who logs in: one login per service, and the roles that it may take. They are the cluster's, as roles are.

`billbus db logins` calls this after `roles.bootstrap`. A login has no rights but to connect to this database
and to SET ROLE to its own; passwords reach the server only as SCRAM verifiers, so no log of it holds one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import psycopg
from sqlalchemy import Connection, Row, text

LOGINS: Final[Mapping[str, tuple[str, ...]]] = {
    "client_api": ("billbus_api",),
    "admin_api": ("billbus_admin", "billbus_platform"),
    "billing_consumer": ("billbus_updater",),
    "state_updater": ("billbus_relay",),
    "worker": ("billbus_worker",),
    "events": ("billbus_events",),
    "cron": ("billbus_cron",),
}

# PostgreSQL 16 split membership: what a member may do is said with each grant, and who granted it counts.
_SPLIT_MEMBERSHIP_SINCE: Final = 160_000

# Two deploys may meet: the loser finds the login there.
_CREATE = """
DO $$ BEGIN
    CREATE ROLE {login} LOGIN NOINHERIT;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""
_POWERS = text("""
    SELECT rolname FROM pg_roles
    WHERE rolname = :login AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
""")
_OWNED = text("""
    SELECT 1 FROM pg_shdepend
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = CAST(:login AS regrole) AND deptype = 'o' LIMIT 1
""")
_MEMBERSHIPS = text("""
    SELECT membership.roleid::regrole::text AS role, membership.grantor::regrole::text AS grantor,
        membership.admin_option OR coalesce((to_jsonb(membership) ->> 'inherit_option')::boolean, false)
            AS is_too_much
    FROM pg_auth_members AS membership WHERE membership.member = CAST(:login AS regrole)
""")
_SCHEMAS = text(
    r"SELECT nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'"
)


class LoginRefused(Exception):
    """A login of this name is somebody else's: it has powers or owns things that no login of ours has."""


@dataclass(frozen=True)
class Login:
    """`name` is a key of LOGINS."""

    name: str
    password: str = field(repr=False)


def ensure_login(connection: Connection, login: Login) -> bool:
    """Makes the login what LOGINS says, with this password; True if it was not there. The caller commits.

    Everything else that was granted to it is taken away. Needs a superuser, or CREATEROLE and the ownership
    of the database. Idempotent. Raises LoginRefused.
    """
    is_new = not _exists(connection, login.name)
    if is_new:
        connection.execute(text(_CREATE.format(login=login.name)))
    _refuse_foreign(connection, login.name)
    _set_password(connection, login)
    _set_memberships(connection, login.name, LOGINS[login.name])
    _set_privileges(connection, login.name)
    return is_new


def close_database(connection: Connection) -> None:
    """Takes from everybody the right to connect here, which PostgreSQL gives to all. The caller commits."""
    connection.execute(text(f"REVOKE ALL ON DATABASE {_database(connection)} FROM PUBLIC"))


def _exists(connection: Connection, login: str) -> bool:
    found = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :login"), {"login": login})
    return found is not None


def _refuse_foreign(connection: Connection, login: str) -> None:
    if connection.scalar(_POWERS, {"login": login}) is not None:
        raise LoginRefused(f"The login {login} has powers of its own: give Billbus a cluster without it.")
    if connection.scalar(_OWNED, {"login": login}) is not None:
        raise LoginRefused(f"The login {login} owns things: give Billbus a cluster without it.")


def _set_password(connection: Connection, login: Login) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    verifier = driver.pgconn.encrypt_password(login.password.encode(), login.name.encode(), b"scram-sha-256")
    connection.exec_driver_sql(f"ALTER ROLE {login.name} LOGIN NOINHERIT PASSWORD '{verifier.decode()}'")


def _set_memberships(connection: Connection, login: str, roles: tuple[str, ...]) -> None:
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0
    is_split = version >= _SPLIT_MEMBERSHIP_SINCE
    for found in connection.execute(_MEMBERSHIPS, {"login": login}).all():
        if found.role not in roles or found.is_too_much:
            connection.execute(text(_revocation(found, login, is_split)))
    options = " WITH SET TRUE, INHERIT FALSE" if is_split else ""
    for role in roles:
        connection.execute(text(f"GRANT {role} TO {login}{options}"))


def _revocation(found: Row[tuple[str, str, bool]], login: str, is_split: bool) -> str:
    granted_by = f" GRANTED BY {found.grantor}" if is_split else ""
    return f"REVOKE {found.role} FROM {login}{granted_by} CASCADE"


def _set_privileges(connection: Connection, login: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    for schema in map(quote, connection.scalars(_SCHEMAS).all()):
        for kind in ("TABLES", "SEQUENCES", "ROUTINES"):
            connection.execute(text(f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM {login}"))
        connection.execute(text(f"REVOKE ALL ON SCHEMA {schema} FROM {login}"))
    database = _database(connection)
    connection.execute(text(f"REVOKE ALL ON DATABASE {database} FROM {login}"))
    connection.execute(text(f"GRANT CONNECT ON DATABASE {database} TO {login}"))


def _database(connection: Connection) -> str:
    name: str = connection.scalar(text("SELECT quote_ident(current_database())")) or ""
    return name
