"""New studios, made by the platform's admins together with the invitation of their first owner."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from admin_api.desk import Desk
from admin_api.people.invitations import row_id
from admin_api.people.presence import stay
from admin_api.people.tokens import Issued, secret_of, token_hash
from kit.errors import Refused
from kit.ids import derived_id
from storage.audit import write_audit
from storage.database import tenant
from storage.staff import invite
from storage.studios import create_studio as insert_studio
from web.commands import CommandRequest
from web.problems import Problem

_FIND = text("SELECT host, name FROM studio WHERE id = :id")
_ENTER_STUDIO = text("SELECT set_config('app.studio_id', :studio_id, true)")
_HOST_UNIQUE = "studio_host_key"


@dataclass(frozen=True, slots=True)
class NewStudio:
    """`host` and `owner_email` are in lower case, `timezone` is an IANA name."""

    name: str
    host: str
    timezone: str
    locale: str
    currency: str
    owner_email: str


def create_studio(desk: Desk, sent: CommandRequest, wanted: NewStudio) -> Issued:
    """A studio with its ledger accounts; the secret is of its owner's invitation, good at its own host.

    Idempotent by the request's key. Raises Problem 409 `host_taken` and Refused `idempotency_key_reused`.
    """
    studio_id = row_id(desk, sent, "studio")
    invitation_id = derived_id("invitation", studio_id)
    secret = secret_of(desk.services.settings.form_key, "invitation", invitation_id)
    try:
        with tenant(desk.engine, desk.studio_id) as connection:
            stay(connection, desk)
            if _is_new(connection, studio_id, wanted):
                _write_studio(connection, desk, studio_id, wanted, Issued(invitation_id, secret))
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != _HOST_UNIQUE:
            raise
        raise Problem(409, "host_taken") from error
    return Issued(studio_id, secret)


def _is_new(connection: Connection, studio_id: UUID, wanted: NewStudio) -> bool:
    # From here on the transaction is the new studio's: there is nothing of another one to be seen.
    connection.execute(_ENTER_STUDIO, {"studio_id": str(studio_id)})
    first = connection.execute(_FIND, {"id": studio_id}).one_or_none()
    if first is not None and (first.host, first.name) != (wanted.host, wanted.name):
        raise Refused("idempotency_key_reused")
    return first is None


def _write_studio(
    connection: Connection, desk: Desk, studio_id: UUID, wanted: NewStudio, invitation: Issued
) -> None:
    insert_studio(
        connection,
        studio_id,
        name=wanted.name,
        host=wanted.host,
        timezone=wanted.timezone,
        currency=wanted.currency,
        locale=wanted.locale,
    )
    invite(
        connection,
        invitation.id,
        studio_id=studio_id,
        email=wanted.owner_email,
        role="owner",
        invited_by=desk.principal,
        token_hash=token_hash(invitation.secret),
        now=desk.now,
    )
    _audit(connection, desk, studio_id, "create_studio", studio_id, {"host": wanted.host})
    _audit(connection, desk, studio_id, "invite_staff", invitation.id, {"role": "owner"})
    # The platform's own book has it too.
    connection.execute(_ENTER_STUDIO, {"studio_id": str(desk.studio_id)})
    _audit(connection, desk, desk.studio_id, "create_studio", studio_id, {"host": wanted.host})


def _audit(
    connection: Connection,
    desk: Desk,
    studio_id: UUID,
    action: str,
    subject_id: UUID,
    after: dict[str, object],
) -> None:
    write_audit(
        connection,
        studio_id=studio_id,
        principal=desk.principal,
        action=action,
        subject_id=subject_id,
        remote_address=desk.remote_address,
        correlation_id=desk.correlation_id,
        after=after,
    )
