"""Every page of the managers' admin against the permission table: who is let in, by role, and nobody else."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, get_args
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Client, Response
from starlette.routing import Mount, Route

from admin_api.actions.registry import ACTIONS
from admin_api.dashboards.charts import CHARTS
from admin_api.dashboards.platform import PLATFORM_CHARTS
from admin_api.desk import Desk
from admin_api.listings import LISTINGS
from admin_api.pages import mounting, profile
from admin_api.pages.doors import Authorization
from admin_api.pages.site import BASE_URL, Site
from admin_api.permissions import ROLES, may
from admin_api.queries.lookups import LOOK_UP_PERMISSIONS, LookUp
from tests.integration.admin_api.conftest import Office

NOBODY = str(UUID(int=0))
# The way out ends what the others need: it is tried last.
SIGN_OUT = "POST /sign-out"

Given = Mapping[str, str]
Needs = Callable[[Given], set[str]]


def _of_listing(given: Given) -> set[str]:
    return {LISTINGS[given["identity"]].permission}


def _of_action(given: Given) -> set[str]:
    return {ACTIONS[given["action"]].permission}


def _always(*permissions: str) -> Needs:
    return lambda given: set(permissions)


# Every page that asks who is there, and the permissions that it needs, all of them.
NEEDS: dict[str, Needs] = {
    "GET /": _always("dashboard.read"),
    "GET /platform": _always("platform.read"),
    "GET /dashboard/{chart}.csv": _always("dashboard.read", "export"),
    "GET /platform/audit": _always("platform.read"),
    "GET /platform/audit.csv": _always("platform.read"),
    "GET /platform/{chart}.csv": _always("platform.read"),
    "GET /board": _always("bookings.read"),
    "GET /today": _always("bookings.read"),
    "GET /heat-map": _always("bookings.read"),
    "GET /heat-map.csv": _always("bookings.read", "export"),
    "GET /profile": _always("self"),
    "GET /logout": _always("self"),
    SIGN_OUT: _always("self"),
    "GET /operations/{command_id}": _always("operations.read"),
    "GET /look-ups/{what}": lambda given: {LOOK_UP_PERMISSIONS[look_up(given["what"])]},
    "GET /do/{action}": _of_action,
    "POST /do/{action}": _of_action,
    "GET /do/{action}/{subject_id}": _of_action,
    "POST /do/{action}/{subject_id}": _of_action,
    "GET /{identity}/list": _of_listing,
    "GET /{identity}/details/{pk:path}": _of_listing,
    "GET /{identity}/export/{export_type}": lambda given: _of_listing(given) | {"export"},
}
# Where nobody is signed in yet.
DOORS = {"GET /login", "POST /login", "GET /invitation", "POST /invitation"}


def look_up(name: str) -> LookUp:
    return next(known for known in get_args(LookUp) if known == name)


def values_of(parameter: str, path: str) -> list[str]:
    """What may stand in a path: everything that a registry has there, or an id of nothing."""
    is_about_something = "{subject_id}" in path
    return {
        "identity": list(LISTINGS),
        "action": [name for name, one in ACTIONS.items() if (one.subject is not None) == is_about_something],
        "chart": list(PLATFORM_CHARTS if path.startswith("/platform") else CHARTS),
        "what": list(get_args(LookUp)),
        "export_type": ["csv"],
    }.get(parameter, [NOBODY])


def routes_of(site: Site) -> Iterator[tuple[str, Route]]:
    """("GET /path", route) of every page."""
    for route in site.admin.router.routes:
        if isinstance(route, Mount):
            assert route.path in ("/own", "/statics"), "only files that everybody may read"
            continue
        assert isinstance(route, Route)
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield f"{method} {route.path}", route


def addresses(site: Site) -> Iterator[tuple[str, str, Given]]:
    """(route's name, a page's path, what stands in it), the way out last."""
    for name, route in sorted(routes_of(site), key=lambda named: named[0] == SIGN_OUT):
        if name in DOORS:
            continue
        parameters = list(route.param_convertors)
        for values in product(*(values_of(parameter, route.path) for parameter in parameters)):
            given = dict(zip(parameters, values, strict=True))
            yield name, BASE_URL + str(route.url_path_for(route.name, **given)), given


def is_let_in(answer: Response) -> bool:
    """Whether the page was ours to see: also when it then found nothing, or a form without its token."""
    if answer.is_redirect:
        # To the platform's page goes who may not see the studio's; to the door, who is not signed in.
        return answer.headers["location"] not in (f"{BASE_URL}/platform", f"{BASE_URL}/login")
    return answer.status_code != 401 and not (
        answer.status_code == 403 and answer.json()["code"] == "forbidden"
    )


def wrongs(site: Site, client: Client, role: str) -> list[str]:
    """The pages where what happens is not what the table says; those that it does not know, too."""
    found = []
    for name, path, given in addresses(site):
        needs = NEEDS.get(name)
        expected = needs is not None and all(may(role, permission) for permission in needs(given))
        method = name.partition(" ")[0]
        answer = client.request(method, path, headers={"Accept": "application/json"})
        assert answer.status_code < 500, (name, path, answer.text)
        if needs is None or is_let_in(answer) != expected:
            found.append(f"{role}: {method} {path} -> {answer.status_code}")
    return found


@pytest.fixture(scope="session")
def site(app: FastAPI) -> Site:
    found = app.state.site
    assert isinstance(found, Site)
    return found


@pytest.fixture(scope="session")
def own_office(open_office: Callable[[], Office]) -> Office:
    return open_office()


def test_every_page_is_thought_of_here(site: Site) -> None:
    assert {name for name, _ in routes_of(site)} == set(NEEDS) | DOORS


@pytest.mark.parametrize("role", ROLES)
def test_role_is_let_in_where_the_table_says_and_nowhere_else(
    site: Site, browse: Callable[..., Client], own_office: Office, role: str
) -> None:
    assert wrongs(site, browse(role, own_office), role) == []


def test_who_is_not_signed_in_is_sent_to_the_door(site: Site, browse: Callable[..., Client]) -> None:
    nobody = browse(None)
    for name, path, _ in addresses(site):
        answer = nobody.request(name.partition(" ")[0], path)
        assert answer.status_code == 303, (name, path)
        assert answer.headers["location"].startswith(f"{BASE_URL}/login"), (name, path)


def test_a_list_that_forgets_to_ask_is_seen(
    site: Site, browse: Callable[..., Client], own_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(Authorization, "has_permission", forgetful)
    seen = wrongs(site, browse("support", own_office), "support")
    assert f"support: GET {BASE_URL}/audit/list -> 200" in seen


def test_a_page_or_a_form_that_forgets_to_ask_is_seen(
    site: Site, browse: Callable[..., Client], own_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browse("support", own_office)
    require = Desk.require

    def forgetful(desk: Desk, permission: str) -> None:
        if permission != "staff.write":
            require(desk, permission)

    monkeypatch.setattr(Desk, "require", forgetful)
    seen = " ".join(wrongs(site, client, "support"))
    assert f"GET {BASE_URL}/do/invite_staff" in seen
    assert f"POST {BASE_URL}/do/invite_staff" in seen
    assert f"{BASE_URL}/do/issue_invoice" not in seen


def test_a_page_that_nobody_thought_of_is_seen(
    site: Site, browse: Callable[..., Client], own_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = mounting.route_for(site, "GET", "/forgotten", profile.show_profile)
    monkeypatch.setattr(site.admin.router, "routes", [forgotten, *site.admin.router.routes])
    assert f"owner: GET {BASE_URL}/forgotten -> 200" in wrongs(site, browse("owner", own_office), "owner")
