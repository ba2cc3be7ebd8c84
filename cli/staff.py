"""`billbus staff`: who works for a studio, as its operator sets it up.

The first owner and the platform's admins come from here; everybody else is invited in the admin. Passwords
are read from the environment or a prompt, never from the command line, where other users of the machine see
them.
"""

import getpass
import os
import secrets
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from cli.connections import database_url, owner_connection
from cli.studios import studio_host
from kit.clock import system_clock
from kit.ids import new_id, sha256
from storage.audit import write_audit
from storage.staff import (
    STAFF_ROLES,
    StaffRow,
    end_sign_ins,
    find_staff_by_email,
    insert_staff_member,
    invite,
)
from web.credentials import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, is_email, same_email
from web.passwords import hash_password, password_matches

LIST_LIMIT: Final = 500
INVITATION_BYTES: Final = 32
PASSWORD_VARIABLE: Final = "BILLBUS_PASSWORD"  # noqa: S105

group = typer.Typer(no_args_is_help=True, help="A studio's staff.")

_FIND_STUDIO = text("SELECT id FROM studio WHERE host = :host")
_LIST = text("""
    SELECT id, email, name, role, created_at, deactivated_at FROM staff_member
    WHERE studio_id = :studio_id ORDER BY id LIMIT :limit
""")
_UPDATE = text("""
    UPDATE staff_member SET name = :name, role = :role, password_hash = :password_hash, deactivated_at = NULL
    WHERE id = :id
""")
_DEACTIVATE = text("UPDATE staff_member SET deactivated_at = :now WHERE id = :id AND deactivated_at IS NULL")


def _email(value: str) -> str:
    if not is_email(same_email(value)):
        raise typer.BadParameter("this is no e-mail address")
    return same_email(value)


def _role(value: str) -> str:
    if value not in STAFF_ROLES:
        raise typer.BadParameter(f"one of {', '.join(STAFF_ROLES)}")
    return value


Host = Annotated[str, typer.Option(callback=studio_host, help="The studio's host name.")]
Email = Annotated[str, typer.Option(callback=_email, help="Whose.")]
Role = Annotated[str, typer.Option(callback=_role, help=f"One of {', '.join(STAFF_ROLES)}.")]


@group.command("invite")
def invite_member(host: Host, email: Email, role: Role) -> None:
    """Invite somebody; prints the path of the link, below the studio's own address, this once."""
    invitation_id, token, now = new_id(), secrets.token_urlsafe(INVITATION_BYTES), system_clock()
    with owner_connection(database_url()) as connection:
        studio_id = _studio_at(connection, host)
        if find_staff_by_email(connection, studio_id, email) is not None:
            raise typer.BadParameter(f"{email} is on the staff already")
        invite(
            connection, invitation_id, studio_id=studio_id, email=email, role=role,
            invited_by=_principal(), token_hash=sha256(token.encode()), now=now,
        )  # fmt: skip
        _audit(connection, studio_id, "invite_staff", invitation_id, None, {"role": role})
    # Behind the "#", where no server and no log sees it.
    typer.echo(f"/admin/invitation#{token}")


@group.command("list")
def list_members(host: Host) -> None:
    """Who works for a studio, in the order they came."""
    with owner_connection(database_url()) as connection:
        row = {"studio_id": _studio_at(connection, host), "limit": LIST_LIMIT}
        members = connection.execute(_LIST, row).all()
    table = Table("member", "e-mail", "name", "role", "since", "deactivated")
    for member in members:
        since, until = _day(member.created_at), _day(member.deactivated_at)
        table.add_row(str(member.id), member.email, member.name, member.role, since, until)
    Console().print(table)


@group.command()
def create(
    host: Host,
    email: Email,
    role: Role,
    name: Annotated[str, typer.Option(help="As colleagues read it.")],
) -> None:
    """Create a member with a password, or bring them up to date; prints their id.

    The password comes from BILLBUS_PASSWORD or a prompt. Another password than before ends all sign-ins.
    """
    password = _read_password()
    with owner_connection(database_url()) as connection:
        studio_id = _studio_at(connection, host)
        found = find_staff_by_email(connection, studio_id, email)
        if found is None:
            member_id = _insert(connection, studio_id, email, name, role, password)
        else:
            member_id = _bring_up_to_date(connection, studio_id, found, name, role, password)
    typer.echo(member_id)


@group.command()
def deactivate(host: Host, email: Email) -> None:
    """Send a member away: no sign-in and no token of theirs works any more."""
    now = system_clock()
    with owner_connection(database_url()) as connection:
        studio_id = _studio_at(connection, host)
        member = find_staff_by_email(connection, studio_id, email)
        if member is None:
            raise typer.BadParameter(f"{email} is not on the staff")
        if connection.execute(_DEACTIVATE, {"id": member.id, "now": now}).rowcount:
            end_sign_ins(connection, member.id, now)
            _audit(
                connection, studio_id, "deactivate_staff", member.id,
                {"is_active": True}, {"is_active": False},
            )  # fmt: skip


def _insert(connection: Connection, studio_id: UUID, email: str, name: str, role: str, password: str) -> UUID:
    member = StaffRow(new_id(), email, name, role, "ru", None, hash_password(password))
    if not insert_staff_member(connection, studio_id, member):
        raise typer.BadParameter(f"{email} was created at this very moment; try again")
    _audit(connection, studio_id, "create_staff", member.id, None, {"role": role})
    return member.id


def _bring_up_to_date(
    connection: Connection, studio_id: UUID, found: StaffRow, name: str, role: str, password: str
) -> UUID:
    is_known = password_matches(password, found.password_hash)
    if is_known and (found.name, found.role, found.deactivated_at) == (name, role, None):
        return found.id
    password_hash = found.password_hash if is_known else hash_password(password)
    row = {"id": found.id, "name": name, "role": role, "password_hash": password_hash}
    connection.execute(_UPDATE, row)
    if not is_known:
        end_sign_ins(connection, found.id, system_clock())
    before = {"role": found.role, "is_active": found.deactivated_at is None}
    after = {"role": role, "is_active": True, "password_changed": not is_known}
    _audit(connection, studio_id, "change_staff", found.id, before, after)
    return found.id


def _studio_at(connection: Connection, host: str) -> UUID:
    studio_id: UUID | None = connection.scalar(_FIND_STUDIO, {"host": host})
    if studio_id is None:
        raise typer.BadParameter(f"no studio answers at {host}")
    return studio_id


def _read_password() -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    password: str = given or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise typer.BadParameter(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return password


def _principal() -> str:
    return f"cli:{getpass.getuser()}"


def _audit(
    connection: Connection,
    studio_id: UUID,
    action: str,
    subject_id: UUID,
    before: dict[str, object] | None,
    after: dict[str, object],
) -> None:
    write_audit(
        connection,
        studio_id=studio_id,
        principal=_principal(),
        action=action,
        subject_id=subject_id,
        remote_address=None,
        correlation_id=new_id().hex,
        before=before,
        after=after,
    )


def _day(instant: datetime | None) -> str:
    return instant.date().isoformat() if instant else ""
