"""What a listener does with what it has in hand when Postgres is not there at all."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from bus.events import SubscriptionEvent
from bus.messages import encode
from bus.port import Delivery
from integrations.listening import Heard, Listener
from kit.ids import new_id
from runtime.ports import free_port
from storage.database import create_role_engine
from tests.integration.billing_consumer.sources import Source

STOP_SECONDS_MAX = 20.0


def never(_connection: Connection, _heard: Sequence[Heard]) -> None:
    raise AssertionError("there is no Postgres")


def test_who_is_stopped_while_postgres_is_away_leaves_what_is_in_hand_to_come_again() -> None:
    event = SubscriptionEvent(
        studio_id=new_id(), customer_id=None, occurred_at=datetime.now(UTC), subscription_id=new_id()
    )
    source = Source([Delivery(new_id(), "subscription.ending", 1, encode(event), "test", False, None)])
    engine = create_role_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/none", "billbus_events", "test")
    listener = Listener("integrations", source, engine, never)
    thread = threading.Thread(target=listener.run)
    thread.start()
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while source.kept_alive < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    listener.is_stopping = True
    thread.join(STOP_SECONDS_MAX)
    assert not thread.is_alive()
    assert source.kept_alive >= 3
    assert (source.acknowledged, source.rejected, source.is_closed) == ([], [], True)
