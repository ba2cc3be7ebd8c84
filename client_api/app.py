"""The application: rooms put together, from settings to routes. Imported by `__main__` and the tests."""

from typing import Final

from fastapi import FastAPI

from booking.doors import Doors
from booking.quotes import quote_key
from booking.router import ROUTERS
from bus.outlet import Outlet
from bus.port import Publisher
from client_api import callbacks, links
from client_api.pages import pages
from client_api.routers import authentication, catalog, invoices, operations, payments, subscriptions
from client_api.services import Services, find_caller, find_studio_id
from kit.clock import Clock, system_clock
from runtime.settings import ApiSettings
from storage.database import create_role_engine
from web import documentation, health, problems
from web.edge import Edge
from web.hosts import HostDirectory
from web.serving import lifespan
from web.waiting import AppliedWaiter

ROLE: Final = "billbus_api"
SERVICE: Final = "client_api"

_ABOUT = """
Subscriptions, bookings, invoices and payments of one studio, the one whose host you call.

Commands answer `202` as soon as they are kept; with `Prefer: wait=N` they answer with the result. Send an
`Idempotency-Key`, and a request sent twice is done once. Errors are RFC 9457 problems with a stable `code`.
"""


def create_app(settings: ApiSettings, publisher: Publisher, clock: Clock = system_clock) -> FastAPI:
    """One process's application. It owns what it makes and closes it, the publisher too."""
    database_url = settings.database_url.get_secret_value()
    engine = create_role_engine(database_url, ROLE, SERVICE)
    services = Services(settings, engine, Outlet(publisher), clock, HostDirectory(engine))
    app = FastAPI(
        title="Billbus client API",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.doors = Doors(engine, clock, quote_key(settings.token_key), find_studio_id, find_caller)
    app.state.waiter = AppliedWaiter(database_url, ROLE, SERVICE)
    app.state.outlet = services.outlet
    app.state.engines = (engine,)
    app.state.probe = health.Probe(engine)
    app.add_middleware(Edge)
    problems.install(app)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    for room in (authentication, catalog, subscriptions, invoices, payments, operations):
        app.include_router(room.router)
    for router in ROUTERS:
        app.include_router(router)
    for room in (callbacks, health, pages, links):
        app.include_router(room.router)
    documentation.mount(app)
    pages.mount(app)
