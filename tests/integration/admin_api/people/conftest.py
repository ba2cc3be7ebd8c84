"""A database with offices in it, and the JSON API's way in over a real socket."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request
from httpx import Client

from admin_api.desk import Desk, Services
from admin_api.people.browser import desk_of_browser
from admin_api.people.dependencies import requires
from admin_api.routers import staff
from tests.databases import Databases
from tests.integration.admin_api.people.office import (
    Office,
    OpenOffice,
    TestClock,
    make_services,
    open_office,
)
from tests.integration.client_api.serving import serving
from web import problems
from web.edge import Edge


@pytest.fixture(scope="session")
def people_database(databases: Databases) -> Iterator[str]:
    with databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def turned_clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session")
def people_services(people_database: str, turned_clock: TestClock) -> Iterator[Services]:
    services = make_services(people_database, turned_clock)
    yield services
    services.outlet.close()
    services.platform_engine.dispose()
    services.engine.dispose()


@pytest.fixture
def open_one(people_services: Services, turned_clock: TestClock, people_database: str) -> OpenOffice:
    return lambda: open_office(people_services, turned_clock, people_database)


@pytest.fixture
def office(open_one: OpenOffice) -> Office:
    return open_one()


@pytest.fixture(scope="session")
def door(people_services: Services) -> Iterator[Client]:
    """The router of people, one guarded endpoint, and one page; every request names its host."""
    app = FastAPI(docs_url=None, redoc_url=None)
    app.state.services = people_services
    app.add_middleware(Edge)
    problems.install(app)
    app.include_router(staff.router)

    @app.get("/invoices")
    def invoices(desk: Annotated[Desk, Depends(requires("invoices.write"))]) -> str:
        return str(desk.person.id)

    @app.get("/page")
    def page(request: Request) -> str | None:
        desk = desk_of_browser(request, people_services)
        return str(desk.person.id) if desk else None

    with serving(app) as address, Client(base_url=address, timeout=30) as client:
        yield client
