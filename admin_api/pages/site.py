"""The managers' pages as one sqladmin application below /admin, mounted by `admin_api.app`.

sqladmin gives the frame: views over models, authentication and authorization around every route, templates.
Of its routes only those that read are kept, so that none of its forms, deletes, imports or actions is there
to be called; whatever changes something is a form of ours (`doing`).
"""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from sqladmin import Admin, I18nConfig
from sqladmin.authentication import login_required
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from admin_api.desk import Services
from admin_api.listings import LISTINGS
from admin_api.pages import doing, entrance, frame, overview, profile, watching
from admin_api.pages.doors import LANGUAGE_COOKIE, SIGN_IN, Authentication, Authorization
from admin_api.pages.guard import HEADERS, PagesGuard
from admin_api.pages.listing_views import listing_view
from admin_api.pages.words import LANGUAGES
from kit.errors import BillbusError
from web.problems import Problem, problem_of_error, problem_response, unavailable

BASE_URL: Final = "/admin"
TITLE: Final = "Billbus"
# Of sqladmin's own routes these read; the others do not exist here.
KEPT_ROUTES: Final = frozenset({"statics", "index", "list", "details", "export", "login", "logout"})

Endpoint = Callable[["Site", Request], Awaitable[Response]]

# Pages for whoever is signed in: path, methods, endpoint.
_PAGES: Final[tuple[tuple[str, tuple[str, ...], Endpoint], ...]] = (
    ("/platform", ("GET",), overview.show_platform),
    ("/dashboard/{chart}.csv", ("GET",), overview.export_chart),
    ("/platform/{chart}.csv", ("GET",), overview.export_platform_chart),
    ("/profile", ("GET",), profile.show_profile),
    ("/sign-out", ("POST",), entrance.sign_out_here),
    ("/operations/{command_id}", ("GET",), watching.show_operation),
    ("/look-ups/{what}", ("GET",), watching.look_up_choices),
    ("/do/{action}", ("GET",), doing.show_form),
    ("/do/{action}", ("POST",), doing.do),
    ("/do/{action}/{subject_id}", ("GET",), doing.show_form),
    ("/do/{action}/{subject_id}", ("POST",), doing.do),
)
# Pages that open the door, for anybody.
_DOORS: Final[tuple[tuple[str, tuple[str, ...], Endpoint], ...]] = (
    ("/invitation", ("GET",), entrance.show_invitation),
    ("/invitation", ("POST",), entrance.accept_invitation_here),
)


def mount(app: FastAPI, services: Services) -> None:
    """Adds the pages to the application; called last, for they answer whatever else is below /admin."""
    app.state.site = Site(app, services)


class Site(Admin):
    """sqladmin's application with our doors, our pages and our way to say that something went wrong."""

    def __init__(self, app: FastAPI, services: Services) -> None:
        self.services = services
        self.doorkeeper = Authentication(services)
        super().__init__(
            app,
            session_maker=services.sessions,
            base_url=BASE_URL,
            title=TITLE,
            templates_dir=str(files("admin_api.pages") / "templates"),
            middlewares=[Middleware(PagesGuard, refuse=self.refuse)],
            authentication_backend=self.doorkeeper,
            authorization_backend=Authorization(),
            i18n_config=I18nConfig(
                default_locale="ru", language_switcher=list(LANGUAGES), language_cookie_name=LANGUAGE_COOKIE
            ),
        )
        frame.install(self.templates.env)
        self.admin.router.routes = self._routes()
        self.admin.exception_handlers = dict.fromkeys(
            (HTTPException, Problem, BillbusError, OperationalError, PoolTimeout, Exception), self._on_error
        )
        for listing in LISTINGS.values():
            self.add_view(listing_view(listing))

    def _routes(self) -> list[BaseRoute]:
        own = files("admin_api.pages") / "static"
        inner = [
            Route(path, partial(login_required(endpoint), self), methods=list(methods))
            for path, methods, endpoint in _PAGES
        ]
        doors = [
            Route(path, partial(endpoint, self), methods=list(methods)) for path, methods, endpoint in _DOORS
        ]
        kept = [route for route in self.admin.router.routes if getattr(route, "name", "") in KEPT_ROUTES]
        return [Mount("/own", StaticFiles(directory=str(own))), *inner, *doors, *kept]

    async def page(
        self, request: Request, template: str, context: dict[str, Any], status: int = 200
    ) -> Response:
        """One rendered template; `context` holds its `title`."""
        return await self.templates.TemplateResponse(request, template, context, status_code=status)

    async def index(self, request: Request) -> Response:
        """The dashboard."""
        return await _signed_in(self, overview.show_dashboard, request)

    async def login(self, request: Request) -> Response:
        """Our sign-in page in the place of sqladmin's."""
        if request.method == "POST":
            return await entrance.sign_in_here(self, request)
        return await entrance.show_sign_in(self, request)

    async def logout(self, request: Request) -> Response:
        """Asks; only the form's POST ends the sign-in."""
        return await _signed_in(self, entrance.show_sign_out, request)

    async def refuse(self, request: Request, problem: Problem) -> Response:
        """The page that says what went wrong, inside the frame for whoever is signed in."""
        if "application/json" in request.headers.get("accept", ""):
            return problem_response(problem)
        if not hasattr(request.state, "desk") and problem.status != 503:
            await self._recognize(request)
        if problem.status == 401:
            return RedirectResponse(SIGN_IN, 303)
        inside = getattr(request.state, "desk", None) is not None
        context = {
            "title": frame.tell(request, "error.title"),
            "code": problem.code,
            "message": frame.problem_text(request, problem.code, problem.facts, problem.status),
        }
        template = "sqladmin/error.html" if inside else "door_error.html"
        response = await self.page(request, template, context, problem.status)
        # Also here: sqladmin's application answers an unforeseen error outside of the guard.
        response.headers.update({**problem.headers, **HEADERS})
        return response

    async def _recognize(self, request: Request) -> None:
        try:
            await self.doorkeeper.recognize(request)
        except (OperationalError, PoolTimeout):
            request.state.desk = None

    async def _on_error(self, request: Request, error: Exception) -> Response:
        match error:
            case Problem():
                problem = error
            case BillbusError():
                problem = problem_of_error(error)
            case HTTPException():
                problem = Problem(error.status_code, _code_of(error.status_code), headers=error.headers)
            case OperationalError() | PoolTimeout():
                problem = unavailable()
            case _:
                problem = Problem(500, "internal_error")
        return await self.refuse(request, problem)


async def _signed_in(site: Site, endpoint: Endpoint, request: Request) -> Response:
    response: Response = await login_required(endpoint)(site, request)
    return response


def _code_of(status: int) -> str:
    return {403: "forbidden", 404: "not_found", 405: "not_found"}.get(status, "invalid_request")
