"""The client API with halls to book: by the world's clock for stories, by one that stands still to look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import jwt
import pytest
from httpx import Client

from bus.transports import EmbeddedBus
from client_api.app import create_app
from client_api.tokens import make_access_token
from runtime.settings import ApiSettings
from tests.integration.booking.houses import NOW, House, open_house
from tests.integration.client_api.conftest import (
    api_database,
    client,
    consumer,
    embedded_bus,
    open_shop,
    settings,
    shop,
    storage,
)
from tests.integration.client_api.people import Person, register
from tests.integration.client_api.serving import serving

__all__ = ["api_database", "client", "consumer", "embedded_bus", "open_shop", "settings", "shop", "storage"]


@dataclass
class StandingClock:
    """Shows NOW until a test puts it on."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def house(api_database: str) -> House:
    return open_house(api_database)


@pytest.fixture(scope="session")
def other_house(api_database: str) -> House:
    return open_house(api_database)


@pytest.fixture
def clock() -> Iterator[StandingClock]:
    _CLOCK.now = NOW
    yield _CLOCK
    _CLOCK.now = NOW


_CLOCK = StandingClock()


@pytest.fixture(scope="session")
def window_client(settings: ApiSettings, embedded_bus: EmbeddedBus, house: House) -> Iterator[Client]:
    """Reaches `house` at NOW, in an application whose clock stands still."""
    with (
        serving(create_app(settings, embedded_bus.command_publisher(), _CLOCK)) as address,
        Client(base_url=address, headers={"Host": house.host}, timeout=40) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def sign_in(window_client: Client, settings: ApiSettings) -> Callable[[House], Person]:
    """New customers at NOW. Their tokens are of today: no clock stands still for what checks them."""

    def sign_in_to(house: House) -> Person:
        person = register(window_client, house.host)
        claims = jwt.decode(person.access_token, options={"verify_signature": False})
        person.access_token = make_access_token(
            settings.token_key, house.studio_id, person.customer_id, UUID(claims["sid"]), datetime.now(UTC)
        )
        return person

    return sign_in_to


@pytest.fixture(scope="session")
def looker(sign_in: Callable[[House], Person], house: House) -> Person:
    """Signed in to `house` at NOW."""
    return sign_in(house)
