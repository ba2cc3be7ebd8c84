"""The application in this process, on a real database, with a real consumer when a test asks for one."""

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
from httpx import Client
from pydantic import SecretStr

from billing_consumer.consumer import BillingConsumer
from bus.transports import EmbeddedBus
from client_api.app import create_app
from kit.ids import new_id
from runtime.settings import ApiSettings
from storage.database import connect_as
from storage.sealing import new_sealing_key, seal
from storage.studios import create_plan, create_price, create_provider_account, create_studio
from tests.databases import Databases, owner_engine
from tests.integration.client_api.people import Person, register
from tests.integration.client_api.serving import serving

SEALING_KEY = new_sealing_key()
LINK_KEY = secrets.token_hex(32)
ORIGIN = "http://shop.example.org"


@dataclass(frozen=True)
class ShopWindow:
    """A studio with one plan, one price and one provider account."""

    studio_id: UUID
    host: str
    price_id: UUID
    account_id: UUID
    secret: str


@pytest.fixture(scope="session")
def api_database(databases: Databases) -> Iterator[str]:
    with databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def open_shop(api_database: str) -> Callable[[], ShopWindow]:
    def open_one() -> ShopWindow:
        token = secrets.token_hex(4)
        shop = ShopWindow(new_id(), f"{token}.example.org", new_id(), new_id(), f"secret-{token}")
        plan_id = new_id()
        with owner_engine(api_database).begin() as connection:
            create_studio(
                connection, shop.studio_id, name=f"Studio {token}", host=shop.host,
                timezone="Europe/Moscow", currency="RUB", allowed_origins=[ORIGIN, f"http://{shop.host}"],
            )  # fmt: skip
            create_plan(connection, plan_id, studio_id=shop.studio_id, code="month", name="Месяц")
            create_price(
                connection, shop.price_id, studio_id=shop.studio_id, plan_id=plan_id, amount_minor=149_000,
                period_unit="month", effective_from=datetime(2020, 1, 1, tzinfo=UTC),
            )  # fmt: skip
            create_provider_account(
                connection, shop.account_id, studio_id=shop.studio_id, provider="cloudpayments",
                public_id=f"test_api_{token}", sealed_secret=seal(SEALING_KEY, shop.secret),
                api_url="http://127.0.0.1:9", widget_script_url="http://127.0.0.1:9/bundles/cloudpayments.js",
                is_test=True,
            )  # fmt: skip
        return shop

    return open_one


@pytest.fixture(scope="session")
def shop(open_shop: Callable[[], ShopWindow]) -> ShopWindow:
    return open_shop()


@pytest.fixture(scope="session")
def other_shop(open_shop: Callable[[], ShopWindow]) -> ShopWindow:
    return open_shop()


@pytest.fixture(scope="session")
def settings(api_database: str) -> ApiSettings:
    return ApiSettings(
        database_url=SecretStr(api_database),
        token_key=SecretStr(secrets.token_hex(32)),
        sealing_key=SecretStr(SEALING_KEY),
        link_key=SecretStr(LINK_KEY),
        demo_sign_in=True,
    )


@pytest.fixture(scope="session")
def embedded_bus(api_database: str) -> EmbeddedBus:
    return EmbeddedBus(partial(connect_as, api_database, "billbus_api", "test-api"))


@pytest.fixture(scope="session")
def client(settings: ApiSettings, embedded_bus: EmbeddedBus, shop: ShopWindow) -> Iterator[Client]:
    """Reaches `shop` over a real socket; a request may name another host."""
    with (
        serving(create_app(settings, embedded_bus.command_publisher())) as address,
        Client(base_url=address, headers={"Host": shop.host}, timeout=40) as client,
    ):
        yield client


@pytest.fixture
def person(client: Client) -> Person:
    return register(client)


@pytest.fixture(scope="module")
def consumer(api_database: str) -> Iterator[None]:
    """Applies what is accepted, until the module ends."""
    connect = partial(connect_as, api_database, "billbus_updater", "test-consumer")
    running = BillingConsumer(EmbeddedBus(connect).command_consumer(0, 1), connect, 50)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield
    running.is_stopping = True
    thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture
def storage(api_database: str) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Asks the database as its owner, past row-level security."""
    with connect_as(api_database, "none", "test-eye") as connection:
        connection.autocommit = True

        def ask(statement: str, *parameters: object) -> list[tuple[object, ...]]:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

        yield ask
