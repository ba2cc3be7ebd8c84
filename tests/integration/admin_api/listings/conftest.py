"""Desks at two offices where everything there is to list has happened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from admin_api.desk import PLATFORM_ROLE, Desk, Person, Services
from admin_api.permissions import Role
from admin_api.walls import guarded_sessions
from bus.messages import (
    BlockHall,
    CancellationTier,
    CheckOutBooking,
    ExtraWanted,
    HoldBooking,
    InvoiceLine,
    Offer,
    RecordPaymentOutcome,
)
from bus.outlet import Outlet
from bus.transports import EmbeddedBus
from kit.ids import new_id
from runtime.settings import AdminSettings
from storage.audit import write_audit
from storage.database import connect_as, create_role_engine
from storage.halls import NewExtra, NewHall, NewTariff, create_extra, create_hall, create_tariff
from storage.provider_calls import Subject
from storage.staff import invite
from tests.integration.admin_api.conftest import Office
from tests.integration.integrations.hearing import hear
from tests.integration.state_updater.shops import PRICE_MINOR, Shop
from web.hosts import HostDirectory

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
# Some whole hour to come.
VISIT = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=10)
_NAME = text("UPDATE customer SET name = :name, email = :email WHERE id = :id")
_NOTE = text("""
    INSERT INTO customer_note (id, studio_id, customer_id, staff_member_id, body, created_at)
    VALUES (:id, :studio_id, :customer_id, :staff_id, :body, now())
""")
_TOKEN = text("""
    INSERT INTO session (id, studio_id, staff_member_id, family_id, token_hash, created_at, expires_at, kind,
        label)
    VALUES (:id, :studio_id, :staff_id, :id, sha256(CAST(:id AS text)::bytea), now(),
        now() + interval '1 day', :kind, :label)
""")
# As the product does it: the callback is the command's cause.
_CAUSES = text("""
    UPDATE command_journal SET causation_id = callback_inbox.id FROM callback_inbox
    WHERE callback_inbox.command_id = command_journal.command_id AND callback_inbox.studio_id = :id
""")
_PARK = text("""
    UPDATE command_journal SET state = 'parked', answered_at = clock_timestamp(),
        problem = '{"code": "invariant_violated"}'
    WHERE command_id = :id
""")


@dataclass(frozen=True)
class Past:
    """What has happened in an office, by id."""

    office: Office
    paid: RecordPaymentOutcome
    stray_id: UUID
    refund_id: UUID
    parked_id: UUID
    open_invoice_id: UUID
    token_id: UUID
    hall_id: UUID
    extra_id: UUID
    booking_id: UUID

    def number_of(self, invoice_id: UUID | None) -> str:
        return str(self.office.shop.one("SELECT number FROM invoice WHERE id = :id", id=invoice_id))


def live_through(office: Office, name: str) -> Past:
    """A paid subscription, an open invoice, a refund, stray money, a parked command, people, a note; and all
    that the world hears of it."""
    shop = office.shop
    staff_id = office.staff["owner"]
    with shop.owner.begin() as connection:
        connection.execute(
            _NAME, {"id": shop.customer_id, "name": name, "email": f"{new_id().hex}-kit@mail.example.org"}
        )
    paid = shop.pay()
    assert paid.attempt_id is not None
    shop.call("look_up", Subject("attempt_id", paid.attempt_id, shop.studio_id, "test"))
    refund_id, invoice_id, attempt_id, token_id = (new_id() for _ in range(4))
    assert shop.tell(shop.request(refund_id, paid, 40_000)) == ["applied"]
    assert shop.tell(shop.issue(invoice_id), shop.start(attempt_id, invoice_id)) == ["applied", "applied"]
    stray = shop.paid(None, None)
    assert stray.payment_id is not None
    assert shop.tell(stray) == ["applied"]
    parked = shop.accept(shop.void(invoice_id))
    with shop.owner.begin() as connection:
        write_audit(
            connection,
            studio_id=shop.studio_id,
            principal=f"customer:{shop.customer_id}",
            action="register",
            subject_id=shop.customer_id,
            remote_address="192.0.2.8",
            correlation_id="test",
        )
        invite(
            connection,
            new_id(),
            studio_id=shop.studio_id,
            email=f"{new_id().hex}@mail.example.org",
            role="support",
            invited_by=f"staff:{staff_id}",
            token_hash=new_id().bytes,
            now=NOW,
        )
        connection.execute(_CAUSES, {"id": shop.studio_id})
        connection.execute(_PARK, {"id": parked.command_id})
        note = {"staff_id": staff_id, "body": "Prefers mornings", "customer_id": shop.customer_id}
        connection.execute(_NOTE, {"id": new_id(), "studio_id": shop.studio_id, **note})
        token = {"id": token_id, "studio_id": shop.studio_id, "staff_id": staff_id}
        connection.execute(_TOKEN, {**token, "kind": "token", "label": "reports"})
        connection.execute(_TOKEN, {**token, "id": new_id(), "kind": "browser", "label": None})
    hall_id, extra_id = open_hall(shop)
    booking_id = book(shop, hall_id, extra_id)
    hear(shop)
    return Past(
        office, paid, stray.payment_id, refund_id, parked.command_id, invoice_id, token_id, hall_id, extra_id,
        booking_id,
    )  # fmt: skip


def open_hall(shop: Shop) -> tuple[UUID, UUID]:
    """A hall that is always open, with a price and an extra; closed for some days to come."""
    hall_id, extra_id = new_id(), new_id()
    always = [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}]
    studio_id = shop.studio_id
    hall = NewHall(id=hall_id, studio_id=studio_id, name="Blue", capacity=8, hours=always)
    tariff = NewTariff(
        id=new_id(), studio_id=studio_id, hall_id=hall_id, per_hour_minor=PRICE_MINOR, effective_from=LONG_AGO
    )
    extra = NewExtra(id=extra_id, studio_id=studio_id, name="Light", unit="booking", amount_minor=5_000)
    with shop.owner.begin() as connection:
        create_hall(connection, hall)
        create_tariff(connection, tariff)
        create_extra(connection, extra)
    closed = BlockHall(
        studio_id=studio_id, customer_id=None, hall_id=hall_id, blackout_id=new_id(), note="Repairs",
        starts_at=VISIT + timedelta(days=5), ends_at=VISIT + timedelta(days=7),
    )  # fmt: skip
    assert shop.tell(closed) == ["applied"]
    return hall_id, extra_id


def book(shop: Shop, hall_id: UUID, extra_id: UUID) -> UUID:
    """A booking of two hours with the extra, that waits for its payment."""
    booking_id = new_id()
    offer = Offer(
        hall_id=hall_id, starts_at=VISIT, ends_at=VISIT + timedelta(hours=2), people=2,
        extras=(ExtraWanted(extra_id=extra_id, quantity=1),),
        lines=(InvoiceLine(description="Blue", quantity=2, unit_amount_minor=PRICE_MINOR),),
        terms=(CancellationTier(hours_before=48, refund_percent=100),),
    )  # fmt: skip
    base: dict[str, UUID] = {"studio_id": shop.studio_id, "customer_id": shop.customer_id}
    hold = HoldBooking(**base, booking_id=booking_id, offer=offer, origin="customer")
    check_out = CheckOutBooking(
        **base, booking_id=booking_id, invoice_id=new_id(), payment="online", origin="customer"
    )
    assert shop.tell(hold, check_out) == ["applied", "applied"]
    return booking_id


@pytest.fixture(scope="session")
def past(open_office: Callable[[], Office]) -> Past:
    return live_through(open_office(), "Zoë Quill")


@pytest.fixture(scope="session")
def other_past(open_office: Callable[[], Office]) -> Past:
    return live_through(open_office(), "Zoë Quill")


@pytest.fixture(scope="session")
def served(open_office: Callable[[], Office]) -> Past:
    """The office that is asked over HTTP: signing in there leaves rows of its own."""
    return live_through(open_office(), "Zoë Quill")


DeskOf = Callable[..., Desk]


@pytest.fixture(scope="session")
def desk_of(settings: AdminSettings, admin_database: str) -> Iterator[DeskOf]:
    """The desk of an office's member with a role."""
    engine = create_role_engine(admin_database, "billbus_admin", "test")
    platform = create_role_engine(admin_database, PLATFORM_ROLE, "test")
    bus = EmbeddedBus(partial(connect_as, admin_database, "billbus_admin", "test"))
    services = Services(
        settings,
        engine,
        platform,
        guarded_sessions(engine),
        Outlet(bus.command_publisher()),
        lambda: datetime.now(UTC),
        HostDirectory(engine),
    )

    def desk(office: Office, role: Role = "owner") -> Desk:
        person = Person(
            office.staff[role], office.shop.studio_id, new_id(), office.email_of(role), role, role, "en"
        )
        return Desk(services, person, "listing-test", "192.0.2.7")

    yield desk
    services.outlet.close()
    for each in (engine, platform):
        each.dispose()
