"""The pages' way in: who is signed in in this browser. A bearer is never looked at here."""

from fastapi import Request

from admin_api.desk import Desk, Services
from admin_api.people.cookies import find_cookie
from admin_api.people.dependencies import find_studio, person_of_token
from admin_api.people.sign_in import sign_in, sign_out
from web.edge import remote_address

__all__ = ["desk_of_browser", "sign_in", "sign_out"]


def desk_of_browser(request: Request, services: Services) -> Desk | None:
    """The desk of whoever is signed in at the request's host; None sends them to sign in."""
    token, studio_id = find_cookie(request, services.settings), find_studio(request, services)
    if not token or studio_id is None:
        return None
    person = person_of_token(services, studio_id, token, "browser")
    if person is None:
        return None
    return Desk(services, person, str(request.state.correlation_id), remote_address(request))
