"""A database of these tests' own, studios in it, and desks where somebody of a role sits."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import cast

import pytest
from pydantic import SecretStr

from admin_api.desk import PLATFORM_ROLE, Desk, Person, Services
from admin_api.permissions import Role
from admin_api.walls import guarded_sessions
from bus.outlet import Outlet
from kit.clock import system_clock
from kit.ids import new_id
from runtime.settings import AdminSettings
from storage.database import create_role_engine
from tests.databases import Databases
from tests.integration.state_updater.shops import SEALING_KEY, Shop
from web.hosts import HostDirectory


@pytest.fixture(scope="module")
def house(databases: Databases) -> Iterator[str]:
    """The URL of a database that many studios share."""
    with databases.fresh() as url:
        yield url


@pytest.fixture
def open_shop(house: str) -> Iterator[Callable[[], Shop]]:
    shops: list[Shop] = []

    def open_one() -> Shop:
        shops.append(Shop(house))
        shops[-1].set_up()
        return shops[-1]

    yield open_one
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(open_shop: Callable[[], Shop]) -> Shop:
    return open_shop()


@pytest.fixture
def other_shop(open_shop: Callable[[], Shop]) -> Shop:
    return open_shop()


@pytest.fixture(scope="module")
def services(house: str) -> Iterator[Callable[..., Services]]:
    engine = create_role_engine(house, "billbus_admin", "test")
    platform_engine = create_role_engine(house, PLATFORM_ROLE, "test")
    settings = AdminSettings(
        database_url=SecretStr(house),
        form_key=SecretStr(secrets.token_hex(32)),
        sealing_key=SecretStr(SEALING_KEY),
    )

    def at(now: datetime | None = None) -> Services:
        return Services(
            settings=settings,
            engine=engine,
            platform_engine=platform_engine,
            sessions=guarded_sessions(engine),
            outlet=cast("Outlet", None),  # nothing here sends a command
            clock=(lambda: now) if now else system_clock,
            hosts=HostDirectory(engine),
        )

    yield at
    engine.dispose()
    platform_engine.dispose()


@pytest.fixture
def sit(services: Callable[..., Services]) -> Callable[..., Desk]:
    """A desk in a shop's studio, at `now` by the process's clock."""

    def at(shop: Shop, role: Role = "owner", now: datetime | None = None) -> Desk:
        person = Person(new_id(), shop.studio_id, new_id(), f"{role}@studio.example", role, role, "ru")
        return Desk(services(now), person, "test", "127.0.0.1")

    return at
