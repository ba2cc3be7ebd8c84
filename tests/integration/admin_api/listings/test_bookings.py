"""Bookings, halls and closures as managers read them."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from admin_api.listings import LISTINGS, ListQuery, export_csv
from admin_api.listings.bookings import BlackoutRow, BookingRow
from admin_api.listings.details.bookings import BookingDetail
from admin_api.listings.details.customers import CustomerDetail
from admin_api.listings.details.halls import HallDetail
from admin_api.listings.details.invoices import InvoiceDetail
from kit.ids import new_id
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.listings.conftest import VISIT, DeskOf, Past, book, open_hall
from tests.integration.state_updater.shops import PRICE_MINOR

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = VISIT.astimezone(MOSCOW).date()


def found(
    desk_of: DeskOf, past: Past, name: str = "bookings", search: str = "", **filters: str
) -> list[UUID]:
    with desk_of(past.office).session() as session:
        page = LISTINGS[name].read(session, ListQuery(search=search, filters=filters))
    return [item.id for item in page.items]  # type: ignore[attr-defined]


def detail(desk_of: DeskOf, past: Past, name: str, thing_id: UUID) -> object:
    read = LISTINGS[name].detail
    assert read is not None
    return read(desk_of(past.office), thing_id)


def test_booking_shows_whose_it_is_where_and_for_how_much(desk_of: DeskOf, past: Past) -> None:
    with desk_of(past.office).session() as session:
        (row,) = LISTINGS["bookings"].read(session, ListQuery()).items
    assert isinstance(row, BookingRow)
    assert (row.customer.name, row.hall.name, row.state) == ("Zoë Quill", "Blue", "awaiting_payment")
    assert (row.starts_at, row.ends_at, row.people) == (VISIT, VISIT + timedelta(hours=2), 2)
    assert (row.total.amount_minor, row.payment, row.origin) == (2 * PRICE_MINOR, "online", "customer")


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({"state": "awaiting_payment"}, True),
        ({"state": "held"}, False),
        ({"payment": "online"}, True),
        ({"payment": "on_site"}, False),
        ({"starts_from": DAY.isoformat(), "starts_to": DAY.isoformat()}, True),
        ({"starts_from": (DAY + timedelta(days=1)).isoformat()}, False),
        ({"starts_to": (DAY - timedelta(days=1)).isoformat()}, False),
        ({"hall": str(new_id())}, False),
        ({"customer": str(new_id())}, False),
    ],
)
def test_bookings_are_filtered(desk_of: DeskOf, past: Past, filters: dict[str, str], is_found: bool) -> None:
    assert found(desk_of, past, **filters) == ([past.booking_id] if is_found else [])


def test_bookings_are_found_by_hall_customer_and_id(desk_of: DeskOf, past: Past) -> None:
    wanted = [past.booking_id]
    assert found(desk_of, past, hall=str(past.hall_id)) == wanted
    assert found(desk_of, past, customer=str(past.office.shop.customer_id)) == wanted
    for term in ("zoë", str(past.booking_id), str(past.office.shop.customer_id)):
        assert found(desk_of, past, search=term) == wanted
    assert found(desk_of, past, search="nobody") == []


def test_booking_s_page_has_its_promise_its_money_and_its_path(desk_of: DeskOf, past: Past) -> None:
    page = detail(desk_of, past, "bookings", past.booking_id)
    assert isinstance(page, BookingDetail)
    assert [line.description for line in page.lines] == ["Blue"]
    assert page.terms == [{"hours_before": 48, "refund_percent": 100}]
    assert [(one.extra.name, one.quantity, one.released_at) for one in page.booked_extras] == [
        ("Light", 1, None)
    ]
    assert [(one.kind, one.starts_at, one.released_at) for one in page.occupancies] == [("hold", VISIT, None)]
    assert [step.trigger for step in page.path] == ["hold", "check_out"]
    assert (page.paid.amount_minor, page.due.amount_minor) == (0, 2 * PRICE_MINOR)
    (invoice,) = page.invoices
    assert invoice.booking_id == past.booking_id
    assert {"HoldBooking", "CheckOutBooking"} <= {one.what for one in page.timeline if one.kind == "command"}
    assert {("booking", "hold"), ("invoice", "open")} <= {(one.machine, one.what) for one in page.timeline}


def test_invoice_and_customer_lead_to_the_booking(desk_of: DeskOf, past: Past) -> None:
    (invoice_id,) = found(desk_of, past, "invoices", booking=str(past.booking_id))
    invoice = detail(desk_of, past, "invoices", invoice_id)
    assert isinstance(invoice, InvoiceDetail)
    assert invoice.booking_id == past.booking_id
    customer = detail(desk_of, past, "customers", past.office.shop.customer_id)
    assert isinstance(customer, CustomerDetail)
    assert [one.id for one in customer.bookings] == [past.booking_id]


def test_money_that_a_provider_was_let_take_is_told(
    desk_of: DeskOf, open_office: Callable[[], Office]
) -> None:
    office = open_office()
    shop, attempt_id = office.shop, new_id()
    booking_id = book(shop, *open_hall(shop))
    invoice_id = shop.one("SELECT id FROM invoice WHERE booking_id = :id", id=booking_id)
    assert shop.tell(shop.start(attempt_id, invoice_id)) == ["applied"]
    shop.rows(
        "INSERT INTO check_admission (id, studio_id, provider_account_id, invoice_id, attempt_id,"
        " transaction_id, admitted_at) VALUES (:id, :studio, :account, :invoice, :attempt, '4711', now())",
        id=new_id(),
        account=shop.account_id,
        invoice=invoice_id,
        attempt=attempt_id,
    )
    read = LISTINGS["bookings"].detail
    assert read is not None
    page = read(desk_of(office), booking_id)
    assert isinstance(page, BookingDetail)
    assert [(one.transaction_id, one.attempt_id, one.closed_at) for one in page.admissions] == [
        ("4711", attempt_id, None)
    ]
    assert [one.id for one in page.attempts] == [attempt_id]


def test_hall_s_page_has_its_prices_extras_and_closures(desk_of: DeskOf, past: Past) -> None:
    page = detail(desk_of, past, "halls", past.hall_id)
    assert isinstance(page, HallDetail)
    assert [(one.per_hour.amount_minor, one.standing) for one in page.tariffs] == [(PRICE_MINOR, "current")]
    assert page.tariffs[0].people_included is None
    assert [one.id for one in page.extras] == [past.extra_id]
    assert [one.note for one in page.blackouts] == ["Repairs"]


def test_closures_are_live_blackouts_alone(desk_of: DeskOf, past: Past) -> None:
    (row_id,) = found(desk_of, past, "blackouts")
    row = detail(desk_of, past, "blackouts", row_id)
    assert isinstance(row, BlackoutRow)
    assert (row.hall.id, row.starts_at, row.note) == (past.hall_id, VISIT + timedelta(days=5), "Repairs")
    assert found(desk_of, past, "blackouts", search="repair") == [row_id]
    assert found(desk_of, past, "blackouts", hall=str(new_id())) == []


def test_bookings_are_exported_with_names_and_sums(desk_of: DeskOf, past: Past) -> None:
    head, row = export_csv(desk_of(past.office), LISTINGS["bookings"], ListQuery()).splitlines()
    cells = dict(zip(head.lstrip("\ufeff").split(","), row.split(","), strict=True))
    assert (cells["customer"], cells["hall"], cells["total"], cells["currency"]) == (
        "Zoë Quill", "Blue", f"{2 * PRICE_MINOR / 100:.2f}", "RUB"
    )  # fmt: skip
