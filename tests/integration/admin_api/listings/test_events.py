"""The log of events and the history of messages, as those who look for a fault read them."""

from admin_api.listings import LISTINGS, ListQuery, Page
from admin_api.listings.details.customers import customer_card
from admin_api.listings.details.events import event_detail
from admin_api.listings.events import EventRow, NotificationRow
from admin_api.permissions import ROLES, may
from tests.integration.admin_api.listings.conftest import DeskOf, Past


def read(desk_of: DeskOf, past: Past, name: str, **filters: str) -> Page:
    with desk_of(past.office).session() as session:
        return LISTINGS[name].read(session, ListQuery(filters=filters, limit=100))


def events(page: Page) -> list[EventRow]:
    return [item for item in page.items if isinstance(item, EventRow)]


def test_a_parked_command_is_an_error_with_the_id_of_its_request(desk_of: DeskOf, past: Past) -> None:
    [row] = events(read(desk_of, past, "events", is_error="true"))
    assert (row.kind, row.is_error, row.subject_id) == ("command.parked", True, past.parked_id)
    accepted = "SELECT correlation_id FROM command_journal WHERE command_id = :id"
    assert row.correlation_id == past.office.shop.one(accepted, id=past.parked_id)
    assert row.subject is not None
    assert (row.subject.listing, row.subject.name) == ("parked", "VoidInvoice")
    assert row.customer is not None
    assert row.customer.name == "Zoë Quill"
    assert row.id not in {one.id for one in events(read(desk_of, past, "events", is_error="false"))}


def test_events_are_found_by_kind_by_what_they_tell_of_and_by_request(desk_of: DeskOf, past: Past) -> None:
    paid = events(read(desk_of, past, "events", kind="invoice.paid"))
    assert [row.subject_id for row in paid] == [past.paid.invoice_id]
    about = events(read(desk_of, past, "events", subject=str(past.paid.invoice_id)))
    assert {row.kind for row in about} == {"invoice.opened", "invoice.paid"}
    assert about[0].subject is not None
    assert about[0].subject.name == past.number_of(past.paid.invoice_id)
    everything = events(read(desk_of, past, "events"))
    same = events(read(desk_of, past, "events", correlation_id=everything[0].correlation_id))
    assert {row.id for row in same} == {
        row.id for row in everything if row.correlation_id == everything[0].correlation_id
    }
    assert events(read(desk_of, past, "events", correlation_id="nobody's")) == []


def test_the_last_event_is_the_first_row(desk_of: DeskOf, past: Past) -> None:
    rows = past.office.shop.rows("SELECT event_id FROM event_log WHERE studio_id = :studio ORDER BY sequence")
    assert [row.id for row in events(read(desk_of, past, "events"))] == [
        event_id for (event_id,) in rows[::-1]
    ]


def test_a_search_takes_an_id_or_a_request(desk_of: DeskOf, past: Past) -> None:
    [parked] = events(read(desk_of, past, "events", is_error="true"))
    with desk_of(past.office).session() as session:
        for term in (str(parked.id), str(parked.subject_id), parked.correlation_id):
            page = LISTINGS["events"].read(session, ListQuery(search=term, limit=100))
            assert parked.id in {row.id for row in events(page)}


def test_the_page_of_an_event_has_its_body_and_the_trail_of_its_request(desk_of: DeskOf, past: Past) -> None:
    [row] = events(read(desk_of, past, "events", kind="payment.succeeded"))
    detail = event_detail(desk_of(past.office), row.id)
    assert detail.body["attempt_id"] == str(past.paid.attempt_id)
    assert detail.body["amount_minor"] == past.paid.amount_minor
    assert detail.logged_at >= detail.occurred_at
    assert detail.indexed_at is None
    same = events(read(desk_of, past, "events", correlation_id=row.correlation_id))
    assert [one.id for one in detail.trail] == [one.id for one in same]


def test_messages_are_listed_and_on_the_card_of_their_customer(desk_of: DeskOf, past: Past) -> None:
    rows = [row for row in read(desk_of, past, "notifications").items if isinstance(row, NotificationRow)]
    assert {"payment_succeeded", "subscription_started"} <= {row.kind for row in rows}
    assert {(row.state, row.tries, row.channel, row.finished_at) for row in rows} == {
        ("planned", 0, "email", None)
    }
    card = customer_card(desk_of(past.office), past.office.shop.customer_id)
    assert {row.id for row in card.notifications} == {
        row.id for row in rows if row.customer.id == past.office.shop.customer_id
    }
    chosen = read(desk_of, past, "notifications", kind="payment_succeeded", state="planned")
    assert {row.id for row in rows if row.kind == "payment_succeeded"} == {
        item.id for item in chosen.items if isinstance(item, NotificationRow)
    }
    assert read(desk_of, past, "notifications", state="failed").items == []


def test_who_opens_a_card_may_read_its_messages_and_support_reads_no_log() -> None:
    readers = {role for role in ROLES if may(role, "notifications.read")}
    assert {role for role in ROLES if may(role, "customers.read")} <= readers
    assert {role for role in ROLES if may(role, "events.read")} == {"owner", "manager", "ops"}
