"""What an endpoint of the JSON API may ask for: the services, the studio, and a desk with a permission."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from admin_api.desk import Desk, Person, Services
from admin_api.people.sign_in import find_person
from admin_api.people.tokens import SignInKind
from admin_api.permissions import PERMISSIONS
from storage.database import tenant
from web.edge import CorrelationId, remote_address
from web.hosts import host_of
from web.problems import Problem, unauthenticated

_BEARER = HTTPBearer(auto_error=False, description="A token: from `sign-in`, or made on one's own page.")


async def get_services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def find_studio(request: Request, services: Services) -> UUID | None:
    """The studio of the Host header."""
    host = host_of(request)
    return services.hosts.find_studio(host) if host else None


async def get_studio_id(request: Request, services: "ServicesOf") -> UUID:
    """Raises Problem 404 for a host that no studio has."""
    studio_id = await services.hosts.await_studio(host_of(request))
    if studio_id is None:
        raise Problem(404, "unknown_host")
    return studio_id


def person_of_token(services: Services, studio_id: UUID, token: str, kind: SignInKind) -> Person | None:
    """Who is signed in at this studio with this token."""
    with tenant(services.engine, studio_id) as connection:
        return find_person(connection, token, kind, services.clock())


ServicesOf = Annotated[Services, Depends(get_services)]
StudioId = Annotated[UUID, Depends(get_studio_id)]


class Requires:
    """A dependency that gives the desk of somebody who has `permission`; the route test reads which."""

    def __init__(self, permission: str) -> None:
        assert permission in PERMISSIONS, permission
        self.permission = permission

    def __call__(
        self,
        request: Request,
        services: ServicesOf,
        studio_id: StudioId,
        correlation_id: CorrelationId,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Desk:
        """Raises Problem 401 or 403. A cookie is never looked at: no other site can send this request."""
        person: Person | None = None
        if credentials is not None:
            person = person_of_token(services, studio_id, credentials.credentials, "token")
        if person is None:
            raise unauthenticated()
        desk = Desk(services, person, correlation_id, remote_address(request))
        desk.require(self.permission)
        return desk


def requires(permission: str) -> Requires:
    """`desk: Annotated[Desk, Depends(requires("invoices.read"))]`."""
    return Requires(permission)
