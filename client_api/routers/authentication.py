"""Register, sign in, stay signed in, sign out. A sign-in is a family of refresh tokens, each good once."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr
from sqlalchemy import Connection

from client_api.queries.people import (
    Customer,
    find_customer_by_email,
    get_customer,
    insert_customer,
    insert_session,
    revoke_family,
    rotate,
)
from client_api.services import PREFIX, Services, ServicesOf, SignedIn, StudioId
from client_api.tokens import (
    ACCESS_LIFETIME,
    make_access_token,
    new_refresh_token,
)
from client_api.views import CustomerView, TokensView
from kit.ids import new_id
from storage.audit import NOBODY, write_audit
from storage.database import tenant
from web.credentials import Email, NewPassword, Password, same_email
from web.documented import problems
from web.edge import CorrelationId, remote_address
from web.fields import Body, shown
from web.passwords import hash_password
from web.problems import Problem, unauthenticated
from web.strict import StrictRoute
from web.throttle import Trier, prove

RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=200)]

router = APIRouter(prefix=PREFIX, tags=["authentication"], route_class=StrictRoute)


class Registration(Body):
    email: Email
    password: NewPassword
    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Anna"])]
    locale: Literal["ru", "en"] = "ru"


class Credentials(Body):
    email: Email
    password: Password


class Refresh(Body):
    refresh_token: RefreshToken


@router.post(
    "/auth/register", operation_id="register", status_code=201, responses=problems(409), summary="Register"
)
def register(
    sent: Registration, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> TokensView:
    """Makes a customer of this studio and signs it in."""
    password_hash = hash_password(sent.password.get_secret_value())
    customer = Customer(new_id(), same_email(sent.email), sent.name, sent.locale, password_hash)
    with tenant(services.engine, studio_id) as connection:
        if not insert_customer(connection, studio_id, customer):
            raise Problem(409, "email_taken")
        _audit(connection, request, studio_id, customer.id, "register", trace)
        return sign_in(connection, services, studio_id, customer)


@router.post("/auth/login", operation_id="login", responses=problems(401, 429), summary="Sign in")
def login(
    sent: Credentials, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> TokensView:
    """The answer to a wrong e-mail and to a wrong password is the same, in words and in time."""
    with tenant(services.engine, studio_id) as connection:
        customer = find_customer_by_email(connection, same_email(sent.email))
    trier = Trier(studio_id, "customer", sent.email, remote_address(request))
    password_hash = customer.password_hash if customer else None
    is_right = prove(
        services.engine, trier, sent.password.get_secret_value(), password_hash, services.clock()
    )
    with tenant(services.engine, studio_id) as connection:
        if is_right and customer is not None:
            _audit(connection, request, studio_id, customer.id, "sign_in", trace)
            return sign_in(connection, services, studio_id, customer)
        _audit_failure(connection, request, studio_id, customer.id if customer else None, trace)
    # Only here, after the commit: refusing inside would undo the audit.
    raise Problem(401, "wrong_credentials", headers={"WWW-Authenticate": "Bearer"})


@router.post("/auth/refresh", operation_id="refresh", responses=problems(401), summary="Stay signed in")
def refresh(
    sent: Refresh, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> TokensView:
    """Changes a refresh token for new tokens. One that is shown twice ends the whole sign-in."""
    with tenant(services.engine, studio_id) as connection:
        rotation = rotate(connection, sent.refresh_token.get_secret_value(), services.clock())
        if rotation is not None and not rotation.is_reuse:
            customer = get_customer(connection, rotation.customer_id)
            return sign_in(connection, services, studio_id, customer, rotation.family_id)
        if rotation is not None:
            _audit(connection, request, studio_id, rotation.customer_id, "session_reused", trace)
    # Only here, after the commit: refusing inside would undo the revocation.
    raise unauthenticated()


@router.post("/auth/logout", operation_id="logout", status_code=204, responses=problems(), summary="Sign out")
def logout(
    sent: Refresh, request: Request, services: ServicesOf, studio_id: StudioId, trace: CorrelationId
) -> Response:
    """Ends the sign-in of this refresh token, its access tokens too. An unknown one is signed out already."""
    with tenant(services.engine, studio_id) as connection:
        customer_id = revoke_family(connection, sent.refresh_token.get_secret_value(), services.clock())
        if customer_id is not None:
            _audit(connection, request, studio_id, customer_id, "sign_out", trace)
    return Response(status_code=204)


@router.get("/me", operation_id="me", responses=problems(401), summary="Who am I")
@shown
def me(caller: SignedIn) -> CustomerView:
    with caller.transaction() as connection:
        return customer_view(get_customer(connection, caller.customer_id))


def sign_in(
    connection: Connection,
    services: Services,
    studio_id: UUID,
    customer: Customer,
    family_id: UUID | None = None,
) -> TokensView:
    """Tokens for a customer whose identity is proven; a new family unless one is continued."""
    now = services.clock()
    family_id = family_id or new_id()
    refresh_token = new_refresh_token()
    insert_session(connection, studio_id, customer.id, family_id, refresh_token, now)
    return TokensView(
        access_token=make_access_token(services.settings.token_key, studio_id, customer.id, family_id, now),
        expires_in_seconds=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=refresh_token,
        customer=customer_view(customer),
    )


def customer_view(customer: Customer) -> CustomerView:
    return CustomerView.model_validate(
        {"id": customer.id, "email": customer.email, "name": customer.name, "locale": customer.locale}
    )


def _audit(
    connection: Connection, request: Request, studio_id: UUID, customer_id: UUID, action: str, trace: str
) -> None:
    write_audit(
        connection,
        studio_id=studio_id,
        principal=f"customer:{customer_id}",
        action=action,
        subject_id=customer_id,
        remote_address=remote_address(request),
        correlation_id=trace,
    )


def _audit_failure(
    connection: Connection, request: Request, studio_id: UUID, customer_id: UUID | None, trace: str
) -> None:
    # Nobody knows who it was, only whom they said they were.
    write_audit(
        connection,
        studio_id=studio_id,
        principal=NOBODY,
        action="sign_in_failed",
        subject_id=customer_id,
        remote_address=remote_address(request),
        correlation_id=trace,
        facts={"realm": "customer"},
    )
