"""One permission table, and every route against it: what is declared, and what really happens by role."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from httpx import Client

from admin_api.actions.registry import ACTIONS
from admin_api.desk import PREFIX
from admin_api.listings import LISTINGS
from admin_api.people.dependencies import Requires
from admin_api.permissions import PERMISSIONS, ROLES, may
from tests.integration.admin_api.conftest import Office

# Where nobody is signed in yet, and the documents.
OPEN = {
    f"GET {PREFIX}/docs",
    f"GET {PREFIX}/bus",
    f"GET {PREFIX}/bus/asyncapi.json",
    f"POST {PREFIX}/sign-in",
    f"POST {PREFIX}/invitation",
    f"POST {PREFIX}/invitation/accept",
}
NOBODY = UUID(int=0)


def routes_of(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """("GET /path", route) of the JSON API, whichever router it came by."""
    for route in app.routes:
        inner = getattr(getattr(route, "original_router", None), "routes", [route])
        for each in inner:
            if isinstance(each, APIRoute) and each.path.startswith(PREFIX) and each.name != "nothing_here":
                for method in each.methods:
                    yield f"{method} {each.path}", each


def permission_of(route: APIRoute) -> str | None:
    found = [one.permission for one in _dependencies(route.dependant) if isinstance(one, Requires)]
    assert len(found) <= 1, f"{route.path} asks twice"
    return found[0] if found else None


def open_to_all(app: FastAPI) -> set[str]:
    return {name for name, route in routes_of(app) if permission_of(route) is None}


def _dependencies(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from _dependencies(one)


def test_every_route_names_a_permission_of_the_table(app: FastAPI) -> None:
    routes = dict(routes_of(app))
    assert len(routes) > len(LISTINGS) + len(ACTIONS)
    assert open_to_all(app) == OPEN
    assert {permission_of(route) for name, route in routes.items() if name not in OPEN} <= set(PERMISSIONS)


def test_every_permission_is_asked_for_somewhere(app: FastAPI) -> None:
    asked = {permission_of(route) for _, route in routes_of(app)}
    # Exports ask for it beside the list's own.
    assert set(PERMISSIONS) - asked <= {"export"}


def test_routes_of_actions_and_listings_ask_for_what_these_declare(app: FastAPI) -> None:
    routes = dict(routes_of(app))
    for action in ACTIONS.values():
        assert permission_of(routes[f"POST {PREFIX}{action.path}"]) == action.permission, action.name
    for listing in LISTINGS.values():
        assert permission_of(routes[f"GET {PREFIX}/{listing.name}"]) == listing.permission, listing.name


@pytest.mark.parametrize("role", ROLES)
def test_role_is_let_in_where_the_table_says_and_nowhere_else(
    app: FastAPI, sign_in: Callable[..., Client], open_office: Callable[[], Office], role: str
) -> None:
    """What is let in is refused for another reason: ids of nothing, an empty body."""
    client = sign_in(role, open_office())
    # Signing out comes last: it ends what the others need.
    for name, route in sorted(routes_of(app), key=lambda named: named[0].endswith("/sign-out")):
        permission = permission_of(route)
        if permission is None:
            continue
        method, _, path = name.partition(" ")
        for parameter in route.dependant.path_params:
            path = path.replace(f"{{{parameter.alias}}}", str(NOBODY))
        answer = client.request(method, f"{client.base_url.scheme}://{client.base_url.netloc.decode()}{path}",
                                json={"nothing": "known"} if method == "POST" else None)  # fmt: skip
        let_in = answer.status_code not in (401, 403)
        assert let_in == may(role, permission), f"{role}: {name} -> {answer.status_code} {answer.text}"


def test_nobody_is_let_in_anywhere(app: FastAPI, address: str, office: Office) -> None:
    with Client(base_url=address, headers={"Host": office.host}) as client:
        for name, route in routes_of(app):
            if permission_of(route) is not None:
                method, _, path = name.partition(" ")
                assert client.request(method, path).status_code in (401, 422), name


def test_a_route_that_forgets_its_permission_is_seen(app: FastAPI) -> None:
    forgetful = APIRouter()
    forgetful.add_api_route(f"{PREFIX}/forgotten", lambda: None)
    grown = FastAPI()
    grown.router.routes.extend(app.routes)
    grown.include_router(forgetful)
    assert open_to_all(grown) - open_to_all(app) == {f"GET {PREFIX}/forgotten"}
