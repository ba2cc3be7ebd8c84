"""The managers' pages as one sqladmin application: its frame, its doors, and how it says what went wrong.

sqladmin gives views over models, authentication and authorization around every route, and templates. Of its
routes only those that read are kept, so that none of its forms, deletes, imports or actions is there to be
called. Which pages there are is told by `mounting`; a page asks for nothing here but `page` and `services`.
"""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from sqladmin import Admin, I18nConfig
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from admin_api.desk import Services
from admin_api.pages import frame
from admin_api.pages.doors import LANGUAGE_COOKIE, SIGN_IN, Authentication, Authorization
from admin_api.pages.guard import HEADERS, PagesGuard
from admin_api.pages.words import LANGUAGES
from kit.errors import BillbusError
from web.problems import Problem, problem_of_error, problem_response, unavailable

BASE_URL: Final = "/admin"
TITLE: Final = "Billbus"
# Of sqladmin's own routes these read; the others do not exist here.
KEPT_ROUTES: Final = frozenset({"statics", "list", "details", "export"})


class Site(Admin):
    """sqladmin's application with our doors and our way to say that something went wrong."""

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
        self.admin.exception_handlers = dict.fromkeys(
            (HTTPException, Problem, BillbusError, OperationalError, PoolTimeout, Exception), self._on_error
        )

    def answer(self, pages: Iterable[BaseRoute]) -> None:
        """Puts our pages before the few routes of sqladmin's that stay."""
        own = Mount("/own", StaticFiles(directory=str(files("admin_api.pages") / "static")))
        kept = [route for route in self.admin.router.routes if getattr(route, "name", "") in KEPT_ROUTES]
        self.admin.router.routes = [own, *pages, *kept]

    async def page(
        self, request: Request, template: str, context: dict[str, Any], status: int = 200
    ) -> Response:
        """One rendered template; `context` holds its `title`."""
        return await self.templates.TemplateResponse(request, template, context, status_code=status)

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


def _code_of(status: int) -> str:
    return {403: "forbidden", 404: "not_found", 405: "not_found"}.get(status, "invalid_request")
