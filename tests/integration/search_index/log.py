"""A log of events to index from, in a database of the test's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from kit.ids import new_id
from storage.event_log import EventEntry, record
from storage.studios import create_studio
from tests.databases import owner_engine

NOVEMBER = datetime(2026, 11, 21, 9, 30, 15, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class EventLog:
    """`engine` runs as the events process does."""

    url: str
    engine: Engine
    studio_id: UUID

    def add(self, count: int = 1, *, at: datetime = NOVEMBER, **body: object) -> list[UUID]:
        """So many payments, of 4 500.00 each. What `body` has is in each of them."""
        entries = [self._payment(at, body) for _ in range(count)]
        with self.engine.begin() as connection:
            record(connection, entries)
        return [entry.event_id for entry in entries]

    def _payment(self, at: datetime, body: dict[str, object]) -> EventEntry:
        attempt_id, customer_id = new_id(), new_id()
        fields: dict[str, object] = {
            "studio_id": str(self.studio_id),
            "customer_id": str(customer_id),
            "occurred_at": at.isoformat(),
            "attempt_id": str(attempt_id),
            "invoice_id": str(new_id()),
            "amount_minor": 450_000,
            "currency": "RUB",
        }
        return EventEntry(
            event_id=new_id(),
            studio_id=self.studio_id,
            kind="payment.succeeded",
            schema_version=1,
            is_error=False,
            customer_id=customer_id,
            subject_id=attempt_id,
            body=fields | body,
            correlation_id="trace-1",
            occurred_at=at,
        )

    def rows(self, statement: str, **values: object) -> Sequence[Any]:
        with owner_engine(self.url).begin() as connection:
            result = connection.execute(text(statement), values)
            return result.all() if result.returns_rows else []

    def waiting(self) -> int:
        """How many the index has not taken yet."""
        return int(self.rows("SELECT count(*) FROM event_log WHERE indexed_at IS NULL")[0][0])

    def pass_time(self, seconds: float) -> None:
        """For the rows: what is due within `seconds` is due now."""
        self.rows("UPDATE event_log SET index_due_at = index_due_at - make_interval(secs => :s)", s=seconds)


def open_log(url: str, engine: Engine) -> EventLog:
    """With a studio."""
    studio_id = new_id()
    with owner_engine(url).begin() as connection:
        create_studio(
            connection, studio_id, name="S", host="s.example.org", timezone="Europe/Moscow", currency="RUB"
        )
    return EventLog(url, engine, studio_id)
