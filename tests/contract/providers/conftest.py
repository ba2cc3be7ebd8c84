import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from providers.port import PaymentRequest
from tests.contract.providers.terminals import Shop, Terminal, Twin, open_shop, open_terminal


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as listener:
        yield listener


@pytest.fixture(scope="session")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    twin = Twin(tmp_path_factory.mktemp("twin"))
    twin.start()
    yield twin
    twin.stop()


@pytest.fixture
def twin(shared_twin: Twin) -> Iterator[Twin]:
    """The shared twin with an empty fault script; each test has a site of its own there."""
    shared_twin.script()
    yield shared_twin
    shared_twin.script()


@pytest.fixture
def own_twin(tmp_path: Path) -> Iterator[Twin]:
    """A twin that a test may kill."""
    twin = Twin(tmp_path / "twin")
    twin.start()
    yield twin
    twin.stop()


@pytest.fixture
def terminal(twin: Twin, shop: Shop) -> Iterator[Terminal]:
    opened = open_terminal(twin, shop)
    yield opened
    opened.client.close()


@pytest.fixture
def json_terminal(twin: Twin, shop: Shop) -> Iterator[Terminal]:
    opened = open_terminal(twin, shop, body_format="json")
    yield opened
    opened.client.close()


@pytest.fixture
def new_payment() -> Callable[[], PaymentRequest]:
    def make() -> PaymentRequest:
        return PaymentRequest(
            attempt_id=uuid.uuid4(),
            request_id=str(uuid.uuid4()),
            amount_minor=149_050,
            currency="RUB",
            description="Тариф Pro & <b>друзья</b>",
            customer_reference="user+7@example.ru",
            return_url="https://studio.example/pay/done?a=1&b=2",
        )

    return make
