"""Commands that no endpoint was asked for, sent as one would: accepted, published and applied."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from bus.messages import CheckOutBooking, Command, HoldBooking, InvoiceLine, Offer
from bus.transports import EmbeddedBus
from kit.ids import new_id, sha256
from storage.halls import NewHall, create_hall
from storage.journal import accept
from tests.databases import owner_engine

APPLIED_SECONDS_MAX = 15.0

Ask = Callable[..., list[tuple[Any, ...]]]


def until_applied(storage: Ask, customer_id: UUID) -> None:
    """Every command of this customer."""
    deadline = monotonic() + APPLIED_SECONDS_MAX
    waiting = "SELECT count(*) FROM command_journal WHERE customer_id = %s AND state = 'accepted'"
    while storage(waiting, customer_id) != [(0,)]:
        assert monotonic() < deadline
        storage("SELECT pg_sleep(0.05)")


@dataclass(frozen=True)
class Sender:
    """Sends for one customer."""

    url: str
    bus: EmbeddedBus
    storage: Ask
    studio_id: UUID
    customer_id: UUID

    def send(self, command: Command) -> str | None:
        """The code of its problem once it is applied."""
        command_id = new_id()
        with owner_engine(self.url).begin() as connection:
            accepted = accept(
                connection, command, command_id=command_id, request_hash=sha256(b""),
                principal=f"customer:{self.customer_id}", correlation_id="test",
            )  # fmt: skip
        assert accepted.envelope is not None
        with closing(self.bus.command_publisher()) as publisher:
            publisher.publish([accepted.envelope])
        until_applied(self.storage, self.customer_id)
        asked = "SELECT problem ->> 'code' FROM command_journal WHERE command_id = %s"
        ((code,),) = self.storage(asked, command_id)
        return code if code is None else str(code)

    def book(self, amount_minor: int) -> tuple[UUID, UUID]:
        """A booking in a hall of its own that awaits its payment, and its invoice."""
        hall_id, booking_id, invoice_id = new_id(), new_id(), new_id()
        with owner_engine(self.url).begin() as connection:
            hall = NewHall(id=hall_id, studio_id=self.studio_id, name=str(hall_id), capacity=1, hours=[])
            create_hall(connection, hall)
        starts_at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
        offer = Offer(
            hall_id=hall_id, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), people=1, extras=(),
            lines=(InvoiceLine(description="Hall", quantity=1, unit_amount_minor=amount_minor),), terms=(),
        )  # fmt: skip
        named = {"studio_id": self.studio_id, "customer_id": self.customer_id, "booking_id": booking_id}
        held = HoldBooking.model_validate({**named, "offer": offer, "origin": "customer"})
        assert self.send(held) is None
        checked_out = {**named, "invoice_id": invoice_id, "payment": "online", "origin": "customer"}
        assert self.send(CheckOutBooking.model_validate(checked_out)) is None
        return booking_id, invoice_id
