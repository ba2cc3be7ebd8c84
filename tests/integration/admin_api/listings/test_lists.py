"""Lists as managers read them: what a row shows, searches, filters, sorts, pages and counts."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, text

from admin_api.listings import LISTINGS, ListQuery, Page
from admin_api.listings.billing import InvoiceRow, SubscriptionRow
from admin_api.listings.operations import AuditRow, ParkedRow
from admin_api.listings.payments import PaymentRow
from admin_api.listings.people import CustomerRow, TokenRow, own_sign_ins
from admin_api.listings.received import ReceivedRow
from admin_api.listings.refunds import RefundRow
from kit.ids import new_id
from storage.audit import write_audit
from tests.integration.admin_api.listings.conftest import DeskOf, Past
from tests.integration.state_updater.shops import PRICE_MINOR
from web.problems import Problem


def read(desk_of: DeskOf, past: Past, name: str, **query: object) -> Page:
    with desk_of(past.office).session() as session:
        return LISTINGS[name].read(session, ListQuery(**query))  # type: ignore[arg-type]


def ids(page: Page) -> list[UUID]:
    return [item.id for item in page.items]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", LISTINGS)
def test_every_list_has_the_rows_of_its_studio_and_counts_them(
    desk_of: DeskOf, past: Past, name: str
) -> None:
    page = read(desk_of, past, name, limit=100)
    assert page.items
    assert page.count == len(page.items)
    assert not page.is_count_capped
    assert page.next_cursor is None
    assert all(hasattr(page.items[0], column) for column in LISTINGS[name].columns)


@pytest.mark.parametrize("name", LISTINGS)
def test_sorts_and_keys_are_among_the_fields_that_are_read(name: str) -> None:
    listing = LISTINGS[name]
    fields = {field.key for field in listing.fields}
    assert {column.key for column in listing.sorts.values()} | {listing.key.key} <= fields
    assert listing.default_sort.removeprefix("-") in listing.sorts


@pytest.mark.parametrize("name", LISTINGS)
def test_no_list_reads_a_secret(name: str) -> None:
    listing = LISTINGS[name]
    assert listing.detail_view is not None
    shown = {*listing.detail_view.model_fields, *(field.key for field in listing.fields)}
    assert not {field for field in shown if "password" in field or "sealed" in field or "token_hash" in field}


@pytest.mark.parametrize(
    ("name", "sort"), [(name, sort) for name in LISTINGS for sort in LISTINGS[name].sorts]
)
def test_pages_by_cursor_and_by_offset_show_each_row_once_in_both_directions(
    desk_of: DeskOf, past: Past, name: str, sort: str
) -> None:
    whole = ids(read(desk_of, past, name, sort=sort, limit=100))
    assert ids(read(desk_of, past, name, sort=f"-{sort}", limit=100)) == whole[::-1]
    for signed, wanted in ((sort, whole), (f"-{sort}", whole[::-1])):
        seen: list[UUID] = []
        cursor = None
        for _ in range(len(whole)):
            page = read(desk_of, past, name, sort=signed, limit=1, cursor=cursor)
            seen += ids(page)
            cursor = page.next_cursor
        assert seen == wanted
        assert cursor is None
    assert [
        ids(read(desk_of, past, name, sort=sort, limit=1, offset=n))[0] for n in range(len(whole))
    ] == whole


def test_invoice_shows_whose_it_is_and_what_is_due(desk_of: DeskOf, past: Past) -> None:
    rows = {row.id: row for row in read(desk_of, past, "invoices").items if isinstance(row, InvoiceRow)}
    opened, paid = rows[past.open_invoice_id], rows[past.paid.invoice_id]  # type: ignore[index]
    assert (opened.customer.name, opened.state, opened.due.amount_minor) == ("Zoë Quill", "open", PRICE_MINOR)
    assert (paid.state, paid.total.amount_minor, paid.due.amount_minor) == ("paid", PRICE_MINOR, 0)
    assert paid.total.currency == "RUB"
    assert paid.number == past.number_of(paid.id)


def test_subscription_shows_its_plan_and_price(desk_of: DeskOf, past: Past) -> None:
    (row,) = read(desk_of, past, "subscriptions").items
    assert isinstance(row, SubscriptionRow)
    assert (row.plan.name, row.price.amount_minor, row.state) == ("Месяц", PRICE_MINOR, "active")
    assert row.current_period_end is not None
    assert row.customer.name == "Zoë Quill"


def test_money_that_no_invoice_has_shows_why(desk_of: DeskOf, past: Past) -> None:
    (stray,) = read(desk_of, past, "received", filters={"is_applied": "false"}).items
    assert isinstance(stray, ReceivedRow)
    assert (stray.id, stray.invoice, stray.unapplied_reason) == (past.stray_id, None, "unknown_order")
    (applied,) = read(desk_of, past, "received", filters={"is_applied": "true"}).items
    assert isinstance(applied, ReceivedRow)
    assert applied.reserved.amount_minor == 40_000
    assert applied.invoice is not None
    assert applied.invoice.name == past.number_of(past.paid.invoice_id)


def test_customer_shows_how_many_subscriptions_are_active(desk_of: DeskOf, past: Past) -> None:
    (row,) = read(desk_of, past, "customers").items
    assert isinstance(row, CustomerRow)
    assert row.active_subscriptions == 1


def test_parked_command_shows_its_problem_and_its_sender(desk_of: DeskOf, past: Past) -> None:
    (row,) = read(desk_of, past, "parked").items
    assert isinstance(row, ParkedRow)
    assert (row.id, row.kind, row.code) == (past.parked_id, "VoidInvoice", "invariant_violated")
    assert row.customer is not None
    assert row.who.kind == "customer"


def test_tokens_of_customers_are_never_among_those_of_staff(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    with shop.owner.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO session (id, studio_id, customer_id, family_id, token_hash, created_at,
                    expires_at)
                VALUES (:id, :studio_id, :customer_id, :id, sha256('x'), now(), now())
            """),
            {"id": new_id(), "studio_id": shop.studio_id, "customer_id": shop.customer_id},
        )
    rows = [row for row in read(desk_of, past, "tokens").items if isinstance(row, TokenRow)]
    assert {(row.kind, row.label, row.staff_member.name) for row in rows} == {
        ("token", "reports", "Owner"),
        ("browser", None, "Owner"),
    }
    assert {row.id for row in own_sign_ins(desk_of(past.office))} == {row.id for row in rows}
    assert own_sign_ins(desk_of(past.office, "support")) == []


def test_audit_names_who_did_it_and_what_became_of_the_command(desk_of: DeskOf, past: Past) -> None:
    desk = desk_of(past.office)
    shop = past.office.shop
    invoice_id = new_id()
    received = shop.accept(shop.issue(invoice_id), desk.principal)
    with desk.transaction() as connection:
        desk.audit(connection, "IssueInvoice", invoice_id, facts={"command_id": str(received.command_id)})
        desk.audit(connection, "change_plan", shop.plan_id, before={"name": "a"}, after={"name": "b"})
    changed, given = read(desk_of, past, "audit", limit=2).items
    assert isinstance(changed, AuditRow)
    assert isinstance(given, AuditRow)
    assert (given.who.kind, given.who.name, given.command_state) == ("staff", "Owner", "accepted")
    assert (changed.before, changed.after, changed.remote_address) == (
        {"name": "a"},
        {"name": "b"},
        "192.0.2.7",
    )
    shop.apply([received])
    assert (
        read(desk_of, past, "audit", filters={"subject": str(invoice_id)}).items[0].command_state == "applied"
    )  # type: ignore[attr-defined]
    assert shop.tell(shop.void(invoice_id)) == ["applied"]
    assert read(desk_of, past, "audit", filters={"action": "change_plan"}).count == 1
    assert read(desk_of, past, "audit", filters={"who": str(desk.person.id)}).count >= 2
    assert read(desk_of, past, "audit", search="Owner").count >= 2
    assert read(desk_of, past, "audit", search=str(invoice_id)).count == 1


def test_audit_knows_a_customer_who_came_by_a_letters_link(desk_of: DeskOf, past: Past) -> None:
    desk = desk_of(past.office)
    shop = past.office.shop
    customer_id = shop.add_customer()
    with desk.transaction() as connection:
        for principal in (f"link:{customer_id}", "cron:renewal"):
            write_audit(
                connection,
                studio_id=desk.studio_id,
                principal=principal,
                action="CancelSubscription",
                subject_id=new_id(),
                remote_address=None,
                correlation_id="test",
            )
    (came,) = read(desk_of, past, "audit", filters={"who": str(customer_id)}).items
    assert isinstance(came, AuditRow)
    assert (came.who.kind, came.who.id, came.who.name) == ("link", customer_id, "Anna")
    (ran,) = read(desk_of, past, "audit", search="cron:renewal").items
    assert isinstance(ran, AuditRow)
    assert (ran.who.kind, ran.who.id, ran.who.name) == ("cron", None, "renewal")


# ---------------------------------------------------------------- searches

FOUND_BY_NAME = ["invoices", "subscriptions", "payments", "refunds", "customers", "parked", "received"]


@pytest.mark.parametrize("name", FOUND_BY_NAME)
@pytest.mark.parametrize("term", ["Zoë Quill", "quill", "QUI zo", "  zoë  "])
def test_words_find_what_belongs_to_their_customers(
    desk_of: DeskOf, past: Past, name: str, term: str
) -> None:
    assert read(desk_of, past, name, search=term).count >= 1


@pytest.mark.parametrize("name", FOUND_BY_NAME)
def test_search_that_matches_nothing_finds_nothing(desk_of: DeskOf, past: Past, name: str) -> None:
    assert read(desk_of, past, name, search="zoë nobody") == Page([], None, 0, False)


@pytest.mark.parametrize("length", [4, 33, 40, 200])
def test_beginning_of_an_address_finds_its_customer(desk_of: DeskOf, past: Past, length: int) -> None:
    email = past.office.shop.one("SELECT email FROM customer WHERE studio_id = :studio ORDER BY id LIMIT 1")
    page = read(desk_of, past, "customers", search=email[:length])
    assert past.office.shop.customer_id in ids(page)


@pytest.mark.parametrize(
    "name", ["Юрьев-Дым", "O'Brien \\ Sons", "a & b | !c <-> (d:*)", "J.R. Smith", "Иванов И.И."]
)
def test_names_of_any_letters_are_found_as_they_are_written(desk_of: DeskOf, past: Past, name: str) -> None:
    shop = past.office.shop
    customer_id = shop.add_customer()
    with shop.owner.begin() as connection:
        connection.execute(
            text("UPDATE customer SET name = :name WHERE id = :id"), {"name": name, "id": customer_id}
        )
    assert customer_id in ids(read(desk_of, past, "customers", search=name))
    with shop.owner.begin() as connection:
        connection.execute(text("DELETE FROM customer WHERE id = :id"), {"id": customer_id})


def test_invoice_is_found_by_its_number_with_and_without_the_year(desk_of: DeskOf, past: Past) -> None:
    number = past.number_of(past.paid.invoice_id)
    for term in (number, number.partition("-")[2], number.partition("-")[2].lstrip("0")):
        assert ids(read(desk_of, past, "invoices", search=term)) == [past.paid.invoice_id]
        assert ids(read(desk_of, past, "refunds", search=term)) == [past.refund_id]
    assert past.paid.attempt_id in ids(read(desk_of, past, "payments", search=number))


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("invoices", "customer_id"),
        ("subscriptions", "customer_id"),
        ("customers", "customer_id"),
        ("prices", "plan_id"),
        ("plans", "plan_id"),
        ("provider_accounts", "account_id"),
    ],
)
def test_id_finds_what_it_names(desk_of: DeskOf, past: Past, name: str, of: str) -> None:
    wanted: UUID = getattr(past.office.shop, of)
    assert read(desk_of, past, name, search=str(wanted)).count >= 1
    assert read(desk_of, past, name, search=wanted.hex.upper()).count >= 1
    assert read(desk_of, past, name, search=str(new_id())).count == 0


def test_provider_s_own_number_finds_the_money(desk_of: DeskOf, past: Past) -> None:
    page = read(desk_of, past, "received", search=past.paid.transaction_id)
    assert past.paid.payment_id in ids(page)


def test_short_lists_are_found_by_any_part(desk_of: DeskOf, past: Past) -> None:
    assert read(desk_of, past, "plans", search="ЕСЯ").count == 1
    assert read(desk_of, past, "prices", search="есяц").count == 1
    assert read(desk_of, past, "staff", search="upport").count == 1
    assert read(desk_of, past, "tokens", search="epor").count == 1
    assert read(desk_of, past, "tokens", search="owner@").count == 2
    assert read(desk_of, past, "plans", search="%").count == 0


# ---------------------------------------------------------------- filters


def test_filters_keep_what_they_name_and_count_it(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    assert ids(read(desk_of, past, "payments", filters={"state": "succeeded"})) == [past.paid.attempt_id]
    assert read(desk_of, past, "payments", filters={"state": "unknown"}).count == 0
    for name, count in (("payments", 2), ("received", 1), ("refunds", 1), ("subscriptions", 1)):
        assert read(desk_of, past, name, filters={"customer": str(shop.customer_id)}).count == count, name
        assert read(desk_of, past, name, filters={"customer": str(new_id())}).count == 0
    assert (
        read(desk_of, past, "subscriptions", filters={"plan": str(shop.plan_id), "state": "active"}).count
        == 1
    )
    assert read(desk_of, past, "refunds", filters={"state": "requested", "origin": "customer"}).count == 1
    assert read(desk_of, past, "staff", filters={"role": "ops", "is_deactivated": "false"}).count == 1
    assert read(desk_of, past, "tokens", filters={"kind": "token", "is_revoked": "false"}).count == 1


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("invoices", "created_from", "created_to"),
        ("payments", "created_from", "created_to"),
        ("customers", "created_from", "created_to"),
        ("refunds", "created_from", "created_to"),
        ("received", "received_from", "received_to"),
        ("audit", "from", "to"),
    ],
)
def test_dates_are_days_of_the_studio_with_both_ends(
    desk_of: DeskOf, past: Past, name: str, since: str, until: str
) -> None:
    shop = past.office.shop
    whole = read(desk_of, past, name).count
    today = shop.one("SELECT (now() AT TIME ZONE 'Europe/Moscow')::date")
    day = timedelta(days=1)
    # A day around today: the tests may run over midnight.
    around = {since: str(today - day), until: str(today + day)}
    assert read(desk_of, past, name, filters=around).count == whole
    assert read(desk_of, past, name, filters={since: str(today + 2 * day)}).count == 0
    assert read(desk_of, past, name, filters={until: str(today - 2 * day)}).count == 0


def test_dates_hold_in_a_studio_that_lives_at_another_time(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    with shop.owner.begin() as connection:
        connection.execute(text("INSERT INTO clock_offset VALUES (:id, 40000000)"), {"id": shop.studio_id})
    invoice_id = new_id()
    assert shop.tell(shop.issue(invoice_id)) == ["applied"]
    ahead = shop.one(
        "SELECT (created_at AT TIME ZONE 'Europe/Moscow')::date FROM invoice WHERE id = :id", id=invoice_id
    )
    found = read(desk_of, past, "invoices", filters={"created_from": str(ahead), "created_to": str(ahead)})
    assert shop.tell(shop.void(invoice_id)) == ["applied"]
    with shop.owner.begin() as connection:
        connection.execute(text("DELETE FROM clock_offset WHERE studio_id = :id"), {"id": shop.studio_id})
    assert ids(found) == [invoice_id]


# ---------------------------------------------------------------- bad input

BAD_QUERIES: list[dict[str, object]] = [
    {"sort": "total_minor"},
    {"sort": "--created_at"},
    {"sort": "created_at; DROP TABLE invoice"},
    {"sort": "customer.password_hash"},
    {"filters": {"password_hash": "x"}},
    {"filters": {"state": "open' OR '1'='1"}},
    {"filters": {"state": ""}},
    {"filters": {"customer": "1"}},
    {"filters": {"created_from": "2026-02-30"}},
    {"filters": {"created_from": "٢٠٢٦-٠١-٠١"}},
    {"filters": {"created_to": "9999-12-31"}},
    {"filters": {"created_to": "20261101"}},
    {"limit": 0},
    {"limit": 101},
    {"limit": -1},
    {"offset": -1},
    {"offset": 10_001},
    {"cursor": ""},
    {"cursor": "AAAA"},
    {"cursor": "é"},
    {"cursor": "W10"},
    {"cursor": "=" * 5_000},
    {"search": "x" * 10_240},
    {"search": "nul\x00"},
    {"search": "half \ud800"},
]


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: ascii(query)[:40])
def test_what_a_list_cannot_mean_is_refused(desk_of: DeskOf, past: Past, query: dict[str, object]) -> None:
    with pytest.raises(Problem) as refused:
        read(desk_of, past, "invoices", **query)
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    "term",
    [
        "' OR 1=1 --",
        "\\",
        "'",
        "':*",
        "%",
        "_",
        ":",
        "& | !",
        "()",
        "<->",
        "''''",
        "a:*b",
        "\\'",
        "🥁",
        "-" * 200,
    ],
)
@pytest.mark.parametrize("name", LISTINGS)
def test_no_term_is_read_as_anything_but_words(desk_of: DeskOf, past: Past, name: str, term: str) -> None:
    assert read(desk_of, past, name, search=term).count <= read(desk_of, past, name).count


def test_cursor_of_another_list_or_sort_is_refused(desk_of: DeskOf, past: Past) -> None:
    cursor = read(desk_of, past, "invoices", limit=1).next_cursor
    assert cursor is not None
    with pytest.raises(Problem):
        read(desk_of, past, "payments", limit=1, cursor=cursor)
    with pytest.raises(Problem):
        read(desk_of, past, "invoices", limit=1, cursor=cursor, sort="created_at")
    with pytest.raises(Problem):
        read(desk_of, past, "invoices", limit=1, cursor=cursor + "=")
    with pytest.raises(Problem):
        read(desk_of, past, "invoices", limit=1, cursor=cursor, offset=1)


def test_refund_and_attempt_rows_name_their_invoice_and_customer(desk_of: DeskOf, past: Past) -> None:
    (refund,) = read(desk_of, past, "refunds").items
    assert isinstance(refund, RefundRow)
    assert refund.customer is not None
    assert refund.invoice is not None
    assert (refund.customer.name, refund.amount.amount_minor, refund.reason) == (
        "Zoë Quill",
        40_000,
        "too loud",
    )
    payments = [row for row in read(desk_of, past, "payments").items if isinstance(row, PaymentRow)]
    assert {row.customer.name for row in payments} == {"Zoë Quill"}
    assert {row.invoice.id for row in payments} == {past.paid.invoice_id, past.open_invoice_id}


@pytest.mark.parametrize("name", LISTINGS)
def test_longer_page_asks_no_more_questions(desk_of: DeskOf, past: Past, name: str) -> None:
    engine = desk_of(past.office).engine
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        read(desk_of, past, name, limit=1)
        short = len(statements)
        read(desk_of, past, name, limit=100)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    # One for each kind of thing that its rows name, however many rows there are.
    assert max(short, len(statements) - short) <= 8
