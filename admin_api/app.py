"""The application: rooms put together, from settings to routes. Imported by `__main__` and the tests."""

from typing import Final

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from admin_api.desk import PLATFORM_ROLE, PREFIX, Services
from admin_api.pages import mounting
from admin_api.routers import actions, dashboards, halls, lists, staff
from admin_api.walls import guarded_sessions
from bus.outlet import Outlet
from bus.port import Publisher
from kit.clock import Clock, system_clock
from runtime.settings import AdminSettings
from storage.database import create_role_engine
from web import bus_page, documentation, health, problems
from web.edge import Edge
from web.hosts import HostDirectory
from web.serving import lifespan
from web.waiting import AppliedWaiter

ROLE: Final = "billbus_admin"
SERVICE: Final = "admin_api"

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_ABOUT = """
What managers, support and ops do with one studio, the one whose host you call; the pages at `/admin` call the
same functions.

Sign in, or make a token on your own page, and send it as `Authorization: Bearer`. What a role may do is one
table, shown at each path. States change by command only: `202` as soon as a command is kept, its result with
`Prefer: wait=N`. Errors are RFC 9457 problems with a stable `code`.

What other systems hear of, and how they listen: [the bus](bus).
"""


def create_app(settings: AdminSettings, publisher: Publisher, clock: Clock = system_clock) -> FastAPI:
    """One process's application. It owns what it makes and closes it, the publisher too."""
    database_url = settings.database_url.get_secret_value()
    engine = create_role_engine(database_url, ROLE, SERVICE)
    services = Services(
        settings=settings,
        engine=engine,
        platform_engine=create_role_engine(database_url, PLATFORM_ROLE, f"{SERVICE}-platform"),
        sessions=guarded_sessions(engine),
        outlet=Outlet(publisher),
        clock=clock,
        hosts=HostDirectory(engine),
    )
    app = FastAPI(
        title="Billbus admin API",
        version="1",
        description=_ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.outlet = services.outlet
    app.state.engines = (engine, services.platform_engine)
    app.state.waiter = AppliedWaiter(database_url, ROLE, SERVICE)
    app.state.probe = health.Probe(engine)
    app.add_middleware(Edge)
    problems.install(app)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    for room in (staff, dashboards, halls, lists, actions, health):
        app.include_router(room.router)
    documentation.mount(app, PREFIX)
    bus_page.mount(app, PREFIX)

    @app.get("/", include_in_schema=False)
    async def to_the_pages() -> RedirectResponse:
        return RedirectResponse("/admin/")

    @app.api_route(PREFIX + "/{unknown:path}", methods=_METHODS, include_in_schema=False)
    async def nothing_here(unknown: str) -> None:
        raise problems.not_found()

    # Last: what is below /admin and not the JSON API's is a page.
    mounting.mount(app, app.state.services)
