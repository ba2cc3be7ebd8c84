"""Who is at the door and what they may see: sqladmin's two backends over our sign-in and permission table.

Called by sqladmin for each of its routes and by our own, which are wrapped alike. A request gets its desk,
its studio and its language here; what was not given here is refused everywhere else.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from sqladmin.authentication import AuthenticationBackend
from sqladmin.authorization import Action, AuthorizationBackend
from sqladmin.i18n import set_locale
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin_api.desk import Desk, Services
from admin_api.listings import LISTINGS
from admin_api.pages.words import LANGUAGES, Language
from admin_api.people.browser import desk_of_browser
from admin_api.walls import CURRENT_STUDIO
from storage.database import tenant
from web.hosts import host_of
from web.problems import Problem

HOME: Final = "/admin/"
SIGN_IN: Final = "/admin/login"
LANGUAGE_COOKIE: Final = "language"
NEXT_LENGTH_LIMIT: Final = 500

_STUDIO = text("SELECT id, name, timezone, currency, locale FROM studio WHERE id = :studio_id")


@dataclass(frozen=True, slots=True)
class StudioCard:
    """What every page needs of the studio: its name, its clock and its money."""

    id: UUID
    name: str
    timezone: str
    currency: str
    locale: Language


class Authentication(AuthenticationBackend):
    """A request's cookie is a person, or the way to the sign-in page. No session of the framework's."""

    def __init__(self, services: Services) -> None:
        self.middlewares = []
        self._services = services

    async def authenticate(self, request: Request) -> Response | bool:
        if getattr(request.state, "desk", None) is not None:
            return True
        if not await self.recognize(request):
            return RedirectResponse(_way_to_sign_in(request), 303)
        return True

    async def recognize(self, request: Request) -> bool:
        """Whether somebody is signed in; then the request has `desk` and `studio`, and its walls stand."""
        desk = await run_in_threadpool(desk_of_browser, request, self._services)
        request.state.desk = desk
        if desk is None:
            return False
        CURRENT_STUDIO.set(desk.studio_id)
        request.state.studio = await run_in_threadpool(_read_studio, self._services, desk.studio_id)
        request.state.language = desk.person.locale
        set_locale(desk.person.locale)
        return True

    async def get_user_id(self, request: Request) -> Any:
        return desk_of(request).person.id

    async def login(self, request: Request) -> Response | bool:
        """Not the way in: the site has a page of its own."""
        return False

    async def logout(self, request: Request) -> Response | bool:
        """Not the way out: a GET ends nothing."""
        return False


class Authorization(AuthorizationBackend):
    """The permission table, asked by the listing's name. What it does not name is refused."""

    def has_permission(self, request: Request, identity: str, action: str, obj: Any | None = None) -> bool:
        desk: Desk | None = getattr(request.state, "desk", None)
        listing = LISTINGS.get(identity)
        if desk is None or listing is None or not desk.person.may(listing.permission):
            return False
        if action == Action.EXPORT:
            return desk.person.may("export")
        return action in (Action.LIST, Action.DETAILS)


def desk_of(request: Request) -> Desk:
    """The signed-in person's desk. Raises Problem 401."""
    desk: Desk | None = getattr(request.state, "desk", None)
    if desk is None:
        raise Problem(401, "unauthenticated")
    return desk


def studio_of(request: Request) -> StudioCard:
    """The studio of whoever is signed in."""
    studio: StudioCard = request.state.studio
    return studio


def language_of(request: Request) -> Language:
    """The person's own; before sign-in the cookie's, the browser's, or Russian."""
    chosen: Language | None = getattr(request.state, "language", None)
    return chosen or _negotiate(request, "ru")


def studio_at_door(request: Request, services: Services) -> StudioCard:
    """The studio of the host, for pages before sign-in; its language counts last. Raises Problem 404."""
    studio_id = services.hosts.find_studio(host_of(request))
    if studio_id is None:
        raise Problem(404, "unknown_host")
    studio = _read_studio(services, studio_id)
    request.state.language = _negotiate(request, studio.locale)
    return studio


def safe_next(given: str | None) -> str:
    """Where to go after signing in: a page of ours, whatever the address says."""
    is_ours = (
        given is not None
        and given.startswith(HOME)
        and len(given) <= NEXT_LENGTH_LIMIT
        and "\\" not in given
        and given.isprintable()
    )
    return given if is_ours and given else HOME


def _way_to_sign_in(request: Request) -> str:
    if request.method != "GET" or request.url.path == HOME:
        return SIGN_IN
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{SIGN_IN}?{urlencode({'next': target})}"


def _negotiate(request: Request, otherwise: Language) -> Language:
    wanted = [
        request.query_params.get("lang", ""),
        request.cookies.get(LANGUAGE_COOKIE, ""),
        *(part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")),
    ]
    return next((language for word in wanted for language in LANGUAGES if word == language), otherwise)


def _read_studio(services: Services, studio_id: UUID) -> StudioCard:
    with tenant(services.engine, studio_id) as connection:
        return StudioCard(*connection.execute(_STUDIO, {"studio_id": studio_id}).one())
