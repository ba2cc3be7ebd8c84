"""What may be done with people, as actions: bodies, permissions, and what each would do.

Collected by `admin_api.actions.registry`. What is done stands in the rooms beside this one.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue
from sqlalchemy import Connection, Row, text

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, widget
from admin_api.actions.fields import Line, Locale, Nothing
from admin_api.desk import Desk
from admin_api.people import invitations, members, sign_ins, studios
from admin_api.people.members import INVITING
from admin_api.people.sign_ins import TOKEN_DAYS_MAX
from admin_api.permissions import STUDIO_ROLES, may
from storage.studios import is_time_zone
from web.credentials import Email, NewPassword, Password, same_email
from web.fields import Body
from web.hosts import HOST_LENGTH_LIMIT, host_name
from web.problems import not_found

StudioRole = Literal["owner", "manager", "support", "ops"]


def _zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("no IANA time zone")
    return name


def _lower(value: object) -> object:
    return same_email(value) if isinstance(value, str) else value


_Email = Annotated[Email, BeforeValidator(_lower), Field(json_schema_extra=widget("text"))]
_Role = Annotated[StudioRole, Field(json_schema_extra=widget("choice"))]
_Host = Annotated[
    str,
    Field(
        max_length=HOST_LENGTH_LIMIT,
        examples=["yoga.example.org"],
        json_schema_extra=widget("text"),
    ),
    AfterValidator(host_name),
]
_Zone = Annotated[
    str,
    Field(max_length=64, examples=["Europe/Moscow"], json_schema_extra=widget("text")),
    AfterValidator(_zone),
]


class InviteStaff(Body):
    email: _Email
    role: _Role


class InvitePlatformAdmin(Body):
    email: _Email


class ChangeStaff(Body):
    name: Line
    role: _Role


class CreateToken(Body):
    label: Annotated[
        str, Field(min_length=1, max_length=100, examples=["Export"], json_schema_extra=widget("text"))
    ]
    days: Annotated[int, Field(ge=1, le=TOKEN_DAYS_MAX, json_schema_extra=widget("text"))] = 90


class ChangePassword(Body):
    old_password: Annotated[Password, Field(json_schema_extra=widget("secret"))]
    new_password: Annotated[NewPassword, Field(json_schema_extra=widget("secret"))]


class SetLanguage(Body):
    locale: Locale


class CreateStudio(Body):
    name: Line
    host: _Host
    timezone: _Zone
    locale: Locale = "ru"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", json_schema_extra=widget("text"))] = "RUB"
    owner_email: _Email


_MEMBER = text("SELECT id, name, role, deactivated_at FROM staff_member WHERE id = :id")
_INVITATION = text("""
    SELECT 1 FROM invitation
    WHERE id = :id AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
""")
_SIGN_IN = text("""
    SELECT kind FROM session WHERE id = :id AND revoked_at IS NULL AND expires_at > now()
""")
_COUNT_SIGN_INS = text("""
    SELECT count(*) FROM session
    WHERE staff_member_id = :id AND revoked_at IS NULL AND expires_at > :now
""")
_COUNT_OWNERS = text("SELECT count(*) FROM staff_member WHERE role = 'owner' AND deactivated_at IS NULL")
_COUNT_INVITATIONS = text("""
    SELECT count(*) FROM invitation
    WHERE invited_by = :invited_by AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > :now
""")


def _invite_staff(desk: Desk, sent: ActionRequest, _subject: None, body: InviteStaff) -> Done:
    issued = invitations.invite_staff(desk, sent, body.email, body.role)
    return Done(subject_id=issued.id, secret=issued.secret)


def _invite_platform_admin(
    desk: Desk, sent: ActionRequest, _subject: None, body: InvitePlatformAdmin
) -> Done:
    issued = invitations.invite_staff(desk, sent, body.email, "platform_admin")
    return Done(subject_id=issued.id, secret=issued.secret)


def _revoke_invitation(desk: Desk, _sent: ActionRequest, subject_id: UUID, _body: Nothing) -> Done:
    invitations.revoke_invitation(desk, subject_id)
    return Done(subject_id=subject_id)


def _change_staff(desk: Desk, _sent: ActionRequest, subject_id: UUID, body: ChangeStaff) -> Done:
    members.change_staff(desk, subject_id, body.name, body.role)
    return Done(subject_id=subject_id)


def _deactivate_staff(desk: Desk, _sent: ActionRequest, subject_id: UUID, _body: Nothing) -> Done:
    members.deactivate_staff(desk, subject_id)
    return Done(subject_id=subject_id)


def _reactivate_staff(desk: Desk, _sent: ActionRequest, subject_id: UUID, _body: Nothing) -> Done:
    members.reactivate_staff(desk, subject_id)
    return Done(subject_id=subject_id)


def _create_token(desk: Desk, sent: ActionRequest, _subject: None, body: CreateToken) -> Done:
    issued = sign_ins.create_token(desk, sent, body.label, body.days)
    return Done(subject_id=issued.id, secret=issued.secret)


def _revoke_token(desk: Desk, _sent: ActionRequest, subject_id: UUID, _body: Nothing) -> Done:
    sign_ins.revoke_token(desk, subject_id)
    return Done(subject_id=subject_id)


def _end_sign_in(desk: Desk, _sent: ActionRequest, subject_id: UUID, _body: Nothing) -> Done:
    sign_ins.end_sign_in(desk, subject_id)
    return Done(subject_id=subject_id)


def _change_password(desk: Desk, _sent: ActionRequest, _subject: None, body: ChangePassword) -> Done:
    members.change_password(desk, body.old_password.get_secret_value(), body.new_password.get_secret_value())
    return Done(subject_id=desk.person.id)


def _set_language(desk: Desk, _sent: ActionRequest, _subject: None, body: SetLanguage) -> Done:
    members.set_language(desk, body.locale)
    return Done(subject_id=desk.person.id)


def _create_studio(desk: Desk, sent: ActionRequest, _subject: None, body: CreateStudio) -> Done:
    wanted = studios.NewStudio(
        body.name, body.host, body.timezone, body.locale, body.currency, body.owner_email
    )
    issued = studios.create_studio(desk, sent, wanted)
    return Done(subject_id=issued.id, secret=issued.secret)


def _foresee_change(desk: Desk, subject_id: UUID, body: ChangeStaff) -> Effect:
    with desk.transaction() as connection:
        member = _get_member(connection, subject_id)
        is_owner_lost = body.role != "owner"
        refusal = _refusal(connection, desk, member, is_owner_lost, is_for_others=body.role != member.role)
        lines = []
        if body.role != member.role:
            lines.append(EffectLine("role_changes", {"before": str(member.role), "after": body.role}))
        if may(str(member.role), INVITING) and not may(body.role, INVITING):
            lines.append(_invitations_line(connection, desk, subject_id))
    return Effect(tuple(lines), refusal)


def _foresee_deactivation(desk: Desk, subject_id: UUID, _body: Nothing) -> Effect:
    with desk.transaction() as connection:
        member = _get_member(connection, subject_id)
        refusal = _refusal(connection, desk, member, is_owner_lost=True, is_for_others=True)
        count = connection.scalar(_COUNT_SIGN_INS, {"id": subject_id, "now": desk.now})
        lines = (
            EffectLine("sign_ins_end", {"count": count}),
            _invitations_line(connection, desk, subject_id),
        )
    return Effect(lines, refusal)


def _invitations_line(connection: Connection, desk: Desk, member_id: UUID) -> EffectLine:
    row = {"invited_by": f"staff:{member_id}", "now": desk.now}
    return EffectLine("invitations_close", {"count": connection.scalar(_COUNT_INVITATIONS, row)})


def _refusal(
    connection: Connection,
    desk: Desk,
    member: Row[tuple[object, ...]],
    is_owner_lost: bool,
    is_for_others: bool,
) -> Mapping[str, JsonValue] | None:
    # The same order as where it is done.
    is_active_owner = member.role == "owner" and member.deactivated_at is None
    if member.role not in STUDIO_ROLES:
        return {"code": "forbidden"}
    if is_owner_lost and is_active_owner and connection.scalar(_COUNT_OWNERS) == 1:
        return {"code": "last_owner"}
    if is_for_others and member.id == desk.person.id:
        return {"code": "own_account"}
    return None


def _get_member(connection: Connection, member_id: UUID) -> Row[tuple[object, ...]]:
    member = connection.execute(_MEMBER, {"id": member_id}).one_or_none()
    if member is None:
        raise not_found()
    return member


def _present_values(connection: Connection, member_id: UUID) -> Mapping[str, JsonValue]:
    member = _get_member(connection, member_id)
    return {"name": str(member.name), "role": str(member.role)}


def _is_active(connection: Connection, member_id: UUID) -> bool:
    member = connection.execute(_MEMBER, {"id": member_id}).one_or_none()
    return member is not None and member.deactivated_at is None and member.role in STUDIO_ROLES


def _is_deactivated(connection: Connection, member_id: UUID) -> bool:
    member = connection.execute(_MEMBER, {"id": member_id}).one_or_none()
    return member is not None and member.deactivated_at is not None and member.role in STUDIO_ROLES


def _is_open_invitation(connection: Connection, invitation_id: UUID) -> bool:
    return connection.scalar(_INVITATION, {"id": invitation_id}) is not None


def _is_live_token(connection: Connection, token_id: UUID) -> bool:
    return _live_kind(connection, token_id) == "token"


def _is_live_sign_in(connection: Connection, sign_in_id: UUID) -> bool:
    return _live_kind(connection, sign_in_id) == "browser"


def _live_kind(connection: Connection, sign_in_id: UUID) -> str | None:
    kind: str | None = connection.scalar(_SIGN_IN, {"id": sign_in_id})
    return kind


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        "invite_staff", INVITING, "/invitations", None, InviteStaff, _invite_staff,
        summary="Invite somebody to the staff",
    ),
    Action(
        "revoke_invitation", INVITING, "/invitations/{subject_id}/revoke", "invitations", Nothing,
        _revoke_invitation, is_open=_is_open_invitation, summary="Withdraw an invitation",
    ),
    Action(
        "change_staff", INVITING, "/staff/{subject_id}/change", "staff", ChangeStaff, _change_staff,
        preview=_foresee_change, initial=_present_values, is_open=_is_active,
        summary="Change a member's role or name",
    ),
    Action(
        "deactivate_staff", INVITING, "/staff/{subject_id}/deactivate", "staff", Nothing, _deactivate_staff,
        preview=_foresee_deactivation, is_open=_is_active, is_dangerous=True,
        summary="Send a member away; all their sign-ins end",
    ),
    Action(
        "reactivate_staff", INVITING, "/staff/{subject_id}/reactivate", "staff", Nothing, _reactivate_staff,
        is_open=_is_deactivated, summary="Let a member back in",
    ),
    Action(
        "create_token", "self", "/tokens", None, CreateToken, _create_token,
        summary="Make a token for a program, with one's own role",
    ),
    Action(
        "revoke_token", "self", "/tokens/{subject_id}/revoke", "tokens", Nothing, _revoke_token,
        is_open=_is_live_token, is_dangerous=True, summary="End a token",
    ),
    Action(
        "end_sign_in", "self", "/sign-ins/{subject_id}/end", "tokens", Nothing, _end_sign_in,
        is_open=_is_live_sign_in, summary="End a sign-in in a browser",
    ),
    Action(
        "change_password", "self", "/me/password", None, ChangePassword, _change_password,
        summary="Change one's own password; other sign-ins end",
    ),
    Action(
        "set_language", "self", "/me/language", None, SetLanguage, _set_language,
        summary="Choose the language of one's own pages",
    ),
    Action(
        "create_studio", "platform.write", "/studios", None, CreateStudio, _create_studio,
        summary="Create a studio and invite its owner",
    ),
    Action(
        "invite_platform_admin", "platform.write", "/platform/invitations", None, InvitePlatformAdmin,
        _invite_platform_admin, summary="Invite another admin of the platform",
    ),
)  # fmt: skip
