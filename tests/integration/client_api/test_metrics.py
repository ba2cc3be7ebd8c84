"""The gauges that are read from storage, by a role that sees all studios."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from kit.ids import new_id
from runtime.storage_gauges import StorageCollector, storage_gauges
from storage.database import create_role_engine
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.people import Person


def gauges(connection: Connection) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in storage_gauges(connection)
        for sample in family.samples
    }


def test_gauges_tell_what_waits(
    api_database: str, shop: ShopWindow, person: Person, storage: Callable[..., list[tuple[Any, ...]]]
) -> None:
    person.post("/api/v1/subscriptions", {"price_id": str(shop.price_id)})
    storage(
        "INSERT INTO provider_payment (id, studio_id, provider_account_id, transaction_id, amount_minor,"
        " currency, unapplied_reason, received_at) VALUES (%s, %s, %s, %s, 777, 'KZT', 'test', now())",
        new_id(), shop.studio_id, shop.account_id, str(new_id()),
    )  # fmt: skip
    engine = create_role_engine(api_database, "billbus_verify", "test-metrics")
    with engine.begin() as connection:
        seen = gauges(connection)
    assert seen["billbus_unapplied_minorKZT"] >= 777
    assert {
        "billbus_oldest_accepted_seconds",
        "billbus_parked_commands",
        "billbus_outbox_waiting",
    } <= seen.keys()
    collector = StorageCollector(engine.begin)
    first, second = collector.collect(), collector.collect()
    assert [one is another for one, another in zip(first, second, strict=True)].count(False) == 0
    engine.dispose()
