"""Check: one transaction of an invoice at a time is given leave to take its money."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from httpx import Client
from prometheus_client import REGISTRY

from billing.payments import ADMISSION_SECONDS
from booking.rules.machine import PAYABLE_MIN
from bus.messages import CancelBooking
from bus.transports import EmbeddedBus
from client_api.queries.admissions import LOCK_WAIT_MS
from storage.database import connect_as
from storage.locks import advisory_key
from tests.integration.client_api.commanding import Ask, Sender, until_applied
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.notices import new_transaction_id, notify, pay_fields
from tests.integration.client_api.people import Person, paying, register, subscribed

YES, REFUSED, EXPIRED = 0, 13, 20
HOLD_SECONDS = 900
# How far the story has come since the hold began, at the most.
STORY_SECONDS_MAX = 30


class Till:
    """One attempt, and the provider's notifications of it. A transaction's name here is its id there."""

    def __init__(self, client: Client, shop: ShopWindow, payer: Person, invoice_id: str) -> None:
        self._client, self._shop, self.payer = client, shop, payer
        self.attempt = paying(payer, invoice_id)
        self._ids: dict[str, str] = {}

    def tell(self, kind: str, transaction: str, **changed: str) -> int:
        """The code of our answer."""
        transaction_id = self._ids.setdefault(transaction, new_transaction_id())
        fields = pay_fields(self.attempt, self.payer.customer_id, TransactionId=transaction_id, **changed)
        answer = notify(self._client, self._shop, kind, fields)
        assert answer.status_code == 200, answer.text
        code: int = answer.json()["code"]
        return code

    def check(self, transaction: str) -> int:
        return self.tell("check", transaction)


@pytest.fixture(scope="module")
def own_shop(open_shop: Callable[[], ShopWindow]) -> ShopWindow:
    """A studio whose clock is moved."""
    return open_shop()


@pytest.fixture
def till(client: Client, own_shop: ShopWindow, consumer: None) -> Till:
    payer = register(client, own_shop.host)
    return Till(client, own_shop, payer, subscribed(payer, own_shop.price_id)["latest_invoice_id"])


@dataclass
class Visit:
    """A booking that awaits its payment."""

    booking_id: UUID
    till: Till
    sender: Sender


@pytest.fixture
def visit(
    client: Client, own_shop: ShopWindow, api_database: str, embedded_bus: EmbeddedBus, consumer: None,
    storage: Ask,
) -> Visit:  # fmt: skip
    payer = register(client, own_shop.host)
    sender = Sender(api_database, embedded_bus, storage, own_shop.studio_id, payer.customer_id)
    booking_id, invoice_id = sender.book(149_000)
    return Visit(booking_id, Till(client, own_shop, payer, str(invoice_id)), sender)


@pytest.fixture
def wait_on(storage: Ask, own_shop: ShopWindow) -> Iterator[Callable[[int], None]]:
    """Moves the studio's clock on, until the test is over."""

    def move(seconds: int) -> None:
        storage(
            "INSERT INTO clock_offset (studio_id, offset_seconds) VALUES (%s, %s) ON CONFLICT (studio_id)"
            " DO UPDATE SET offset_seconds = clock_offset.offset_seconds + excluded.offset_seconds",
            own_shop.studio_id,
            seconds,
        )

    yield move
    storage("DELETE FROM clock_offset WHERE studio_id = %s", own_shop.studio_id)


@contextmanager
def locked(api_database: str, customer_id: UUID) -> Iterator[None]:
    """Somebody applies a command of this customer meanwhile."""
    with connect_as(api_database, "billbus_updater", "test-holder") as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [advisory_key(customer_id)])
        yield


def admissions(storage: Ask, till: Till) -> list[tuple[Any, ...]]:
    """Of the till's attempt, oldest first: whether each is closed."""
    return storage(
        "SELECT closed_at IS NOT NULL FROM check_admission WHERE attempt_id = %s ORDER BY admitted_at",
        till.attempt["id"],
    )


def lapsed(storage: Ask, till: Till) -> list[tuple[Any, ...]]:
    """Of the till's attempt, oldest first: whether another took the place of each."""
    return storage(
        "SELECT lapsed_at IS NOT NULL FROM check_admission WHERE attempt_id = %s ORDER BY admitted_at",
        till.attempt["id"],
    )


def counted(result: str) -> float:
    labels = {"type": "check", "result": result}
    return REGISTRY.get_sample_value("billbus_callbacks_total", labels) or 0.0


def test_a_yes_is_stored_and_a_no_is_not(till: Till, storage: Ask) -> None:
    assert till.tell("check", "short", Amount="1.00") == 12
    assert admissions(storage, till) == []
    assert till.check("one") == YES
    assert admissions(storage, till) == [(False,)]


def test_of_two_checks_at_once_one_is_told_yes(till: Till, storage: Ask) -> None:
    count = 8
    barrier = threading.Barrier(count)

    def ask(name: str) -> int:
        barrier.wait()
        return till.check(name)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(ask, [f"transaction {number}" for number in range(count)]))
    assert sorted(answers) == [YES, *[REFUSED] * (count - 1)]
    assert admissions(storage, till) == [(False,)]


def test_one_transaction_asking_at_once_is_admitted_once(till: Till, storage: Ask) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(till.check, ["one"] * 4)) == [YES] * 4
    assert admissions(storage, till) == [(False,)]


def test_an_open_admission_refuses_another_until_its_time_is_over(
    till: Till, storage: Ask, wait_on: Callable[[int], None]
) -> None:
    assert till.check("one") == YES
    wait_on(ADMISSION_SECONDS - 60)
    assert (till.check("other"), till.check("one")) == (REFUSED, YES)
    wait_on(60)
    assert till.check("other") == YES
    # What the first one came to nobody has said: it is not closed by that.
    assert admissions(storage, till) == [(False,), (False,)]
    assert lapsed(storage, till) == [(True,), (False,)]
    assert till.check("one") == REFUSED
    assert till.check("third") == REFUSED


def test_what_was_admitted_and_is_over_is_not_admitted_again(
    till: Till, wait_on: Callable[[int], None]
) -> None:
    assert till.check("one") == YES
    wait_on(ADMISSION_SECONDS)
    assert till.check("one") == REFUSED


def test_a_customer_whose_lock_is_not_to_be_had_is_refused_in_time(
    till: Till, storage: Ask, api_database: str
) -> None:
    before = counted("busy")
    with locked(api_database, till.payer.customer_id):
        began = monotonic()
        assert till.check("one") == REFUSED
        assert LOCK_WAIT_MS / 1000 <= monotonic() - began < LOCK_WAIT_MS / 1000 + 1
    assert counted("busy") == before + 1
    assert admissions(storage, till) == []
    assert till.check("one") == YES


def test_a_check_waits_for_the_command_that_is_being_applied(
    till: Till, storage: Ask, api_database: str
) -> None:
    """What it decides over is what that command has left."""
    with ThreadPoolExecutor(1) as pool:
        with locked(api_database, till.payer.customer_id):
            asked = pool.submit(till.check, "one")
            storage("SELECT pg_sleep(0.5)")
            assert not asked.done()
            storage(
                "INSERT INTO check_admission (id, studio_id, provider_account_id, invoice_id, attempt_id,"
                " transaction_id, admitted_at) SELECT gen_random_uuid(), studio_id, provider_account_id,"
                " invoice_id, id, 'another', clock_timestamp() FROM payment_attempt WHERE id = %s",
                till.attempt["id"],
            )
        assert asked.result() == REFUSED


def test_a_failure_lets_the_next_transaction_pay(till: Till, storage: Ask) -> None:
    assert till.check("one") == YES
    assert till.tell("fail", "one", Reason="InsufficientFunds", ReasonCode="5051") == YES
    until_applied(storage, till.payer.customer_id)
    assert admissions(storage, till) == [(True,)]
    assert till.check("other") == YES


def test_the_failure_of_another_transaction_closes_nothing(till: Till, storage: Ask) -> None:
    """The provider tells of a transaction that was refused leave as of any that came to nothing."""
    assert till.check("one") == YES
    assert till.check("other") == REFUSED
    assert till.tell("fail", "other", Reason="Refused", ReasonCode="5051") == YES
    until_applied(storage, till.payer.customer_id)
    assert admissions(storage, till) == [(False,)]
    assert till.check("third") == REFUSED


def test_money_closes_what_was_admitted(till: Till, storage: Ask) -> None:
    assert till.check("one") == YES
    assert till.tell("pay", "one") == YES
    until_applied(storage, till.payer.customer_id)
    assert admissions(storage, till) == [(True,)]
    assert till.check("other") == REFUSED


def test_a_hold_is_paid_until_its_last_minute(
    visit: Visit, storage: Ask, wait_on: Callable[[int], None]
) -> None:
    wait_on(HOLD_SECONDS - int(PAYABLE_MIN.total_seconds()) - STORY_SECONDS_MAX)
    assert visit.till.check("one") == YES
    wait_on(STORY_SECONDS_MAX)
    # Who was told yes before is told so still.
    assert visit.till.check("one") == YES
    assert visit.till.tell("fail", "one", Reason="InsufficientFunds", ReasonCode="5051") == YES
    until_applied(storage, visit.till.payer.customer_id)
    assert visit.till.check("other") == EXPIRED


def test_a_booking_stays_while_its_money_may_be_moving(visit: Visit, wait_on: Callable[[int], None]) -> None:
    canceling = CancelBooking(
        studio_id=visit.sender.studio_id, customer_id=visit.sender.customer_id,
        booking_id=visit.booking_id, origin="customer",
    )  # fmt: skip
    assert visit.till.check("one") == YES
    assert visit.sender.send(canceling) == "payment_in_progress"
    wait_on(ADMISSION_SECONDS)
    assert visit.sender.send(canceling) is None
    assert visit.till.check("other") == REFUSED
