"""Coming in and going out over the JSON API: a bearer for a password, and invitations.

What is done to people otherwise (inviting, roles, tokens) is an action as all others.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, SecretStr

from admin_api.desk import PREFIX, Desk
from admin_api.people.dependencies import ServicesOf, StudioId, requires
from admin_api.people.invitations import Newcomer, accept_invitation, find_invitation
from admin_api.people.sign_in import sign_in, sign_out
from admin_api.people.tokens import TOKEN_LENGTH_LIMIT, SignedIn
from admin_api.permissions import PERMISSIONS, Role
from web.credentials import Email, NewPassword, Password
from web.documented import problems
from web.edge import CorrelationId, remote_address
from web.fields import Body
from web.problems import not_found
from web.strict import StrictRoute
from web.views import View

router = APIRouter(prefix=PREFIX, tags=["people"], route_class=StrictRoute)

InvitationToken = Annotated[SecretStr, Field(min_length=1, max_length=TOKEN_LENGTH_LIMIT)]
Oneself = Annotated[Desk, Depends(requires("self"))]


class Credentials(Body):
    email: Email
    password: Password


class InvitationShown(Body):
    token: InvitationToken


class Acceptance(Body):
    token: InvitationToken
    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Anna"])]
    password: NewPassword
    locale: Literal["ru", "en"] = "ru"


class BearerView(View):
    """To be sent as `Authorization: Bearer`."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_at: datetime

    @classmethod
    def of(cls, signed_in: SignedIn) -> "BearerView":
        return cls(access_token=signed_in.token, expires_at=signed_in.expires_at)


class InvitationView(View):
    """What somebody is invited to be."""

    email: str
    role: Role


class PersonView(View):
    """Who is signed in, and what they may do."""

    id: UUID
    studio_id: UUID
    email: str
    name: str
    role: Role
    locale: Literal["ru", "en"]
    permissions: list[str]


@router.post("/sign-in", operation_id="sign_in", responses=problems(401, 404, 429), summary="Sign in")
def sign_in_for_bearer(
    sent: Credentials, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> BearerView:
    """A token for twelve hours. A wrong e-mail and a wrong password get the same answer."""
    signed_in = sign_in(
        services,
        studio_id,
        sent.email,
        sent.password.get_secret_value(),
        remote_address=remote_address(request),
        correlation_id=trace,
        kind="token",
    )
    return BearerView.of(signed_in)


@router.post(
    "/sign-out", operation_id="sign_out", status_code=204, responses=problems(401), summary="Sign out"
)
def end_bearer(desk: Oneself) -> Response:
    """Ends the token that this request was sent with, at once."""
    sign_out(desk)
    return Response(status_code=204)


@router.get("/me", operation_id="me", responses=problems(401), summary="Who am I")
def me(desk: Oneself) -> PersonView:
    """The signed-in member of the staff, with their permissions."""
    person = desk.person
    return PersonView(
        id=person.id,
        studio_id=person.studio_id,
        email=person.email,
        name=person.name,
        role=person.role,
        locale=person.locale,
        permissions=[permission for permission in PERMISSIONS if person.may(permission)],
    )


@router.post(
    "/invitation", operation_id="show_invitation", responses=problems(404), summary="What am I invited to"
)
def show_invitation(sent: InvitationShown, services: ServicesOf, studio_id: StudioId) -> InvitationView:
    """An open invitation, by its token. A POST, so that the token stands in no address."""
    invited = find_invitation(services, studio_id, sent.token.get_secret_value())
    if invited is None:
        raise not_found()
    return InvitationView(email=invited.email, role=invited.role)


@router.post(
    "/invitation/accept",
    operation_id="accept_invitation",
    status_code=201,
    responses=problems(404, 409),
    summary="Accept an invitation",
)
def accept(
    sent: Acceptance, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> BearerView:
    """Makes a member of the staff and signs them in. An invitation is accepted once."""
    signed_in = accept_invitation(
        services,
        studio_id,
        sent.token.get_secret_value(),
        sent.password.get_secret_value(),
        Newcomer(sent.name, sent.locale),
        remote_address=remote_address(request),
        correlation_id=trace,
        kind="token",
    )
    return BearerView.of(signed_in)
