"""Clerks of two offices, and a process's services without the process."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from admin_api.desk import PLATFORM_ROLE, Services
from admin_api.walls import guarded_sessions
from bus.outlet import Outlet
from bus.transports import EmbeddedBus
from kit.clock import system_clock
from runtime.settings import AdminSettings
from storage.database import connect_as, create_role_engine
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.admin_api.conftest import Office
from web.hosts import HostDirectory


@pytest.fixture(scope="session")
def services(settings: AdminSettings, admin_database: str) -> Iterator[Services]:
    engine = create_role_engine(admin_database, "billbus_admin", "test-actions")
    bus = EmbeddedBus(partial(connect_as, admin_database, "billbus_admin", "test-actions"))
    services = Services(
        settings=settings,
        engine=engine,
        platform_engine=create_role_engine(admin_database, PLATFORM_ROLE, "test-actions"),
        sessions=guarded_sessions(engine),
        outlet=Outlet(bus.command_publisher()),
        clock=system_clock,
        hosts=HostDirectory(engine),
    )
    yield services
    services.outlet.close()
    services.platform_engine.dispose()
    engine.dispose()


@pytest.fixture
def own_office(open_office: Callable[[], Office]) -> Iterator[Office]:
    """A studio that nobody has worked in yet; its connections go with the test."""
    office = open_office()
    yield office
    office.shop.close()


@pytest.fixture
def manager(own_office: Office, services: Services) -> Clerk:
    return Clerk(own_office, services, "manager")


@pytest.fixture
def owner(own_office: Office, services: Services) -> Clerk:
    return Clerk(own_office, services, "owner")


@pytest.fixture
def support(own_office: Office, services: Services) -> Clerk:
    return Clerk(own_office, services, "support")


@pytest.fixture
def stranger(other_office: Office, services: Services) -> Clerk:
    """The owner of another studio."""
    return Clerk(other_office, services, "owner")
