"""Exports as files and in the audit; pickers; the latest command about a row."""

import csv
from io import StringIO
from uuid import UUID

import pytest
from sqlalchemy import text

from admin_api.listings import LISTINGS, ListQuery, export_csv
from admin_api.listings import csv as exporting
from admin_api.permissions import Role
from admin_api.queries.lookups import CHOICES_LIMIT, look_up
from admin_api.queries.operations import latest_operations
from kit.ids import new_id
from tests.integration.admin_api.listings.conftest import DeskOf, Past
from web.problems import Problem


def lines(written: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(written[1:], newline="")))


def test_export_has_what_the_list_has_and_is_audited(desk_of: DeskOf, past: Past) -> None:
    desk = desk_of(past.office, "manager")
    query = ListQuery(search="Zoë Quill", filters={"state": "paid"}, limit=1)
    (line,) = lines(export_csv(desk, LISTINGS["invoices"], query))
    assert (line["customer"], line["total"], line["currency"]) == ("Zoë Quill", "1490.00", "RUB")
    assert line["number"] == past.number_of(past.paid.invoice_id)
    last = past.office.shop.rows("""
        SELECT principal, facts, host(remote_address) FROM audit
        WHERE studio_id = :studio AND action = 'export' ORDER BY occurred_at DESC LIMIT 1
    """)
    facts = {"list": "invoices", "rows": 1, "filters": {"state": "paid"}, "is_searched": True}
    assert last == [(desk.principal, facts, "192.0.2.7")]


def test_formula_in_a_customer_s_name_leaves_as_text(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    customer_id = shop.add_customer()
    with shop.owner.begin() as connection:
        connection.execute(
            text("UPDATE customer SET name = '=HYPERLINK(1)' WHERE id = :id"), {"id": customer_id}
        )
    found = {
        line["id"]: line
        for line in lines(export_csv(desk_of(past.office), LISTINGS["customers"], ListQuery()))
    }
    with shop.owner.begin() as connection:
        connection.execute(text("DELETE FROM customer WHERE id = :id"), {"id": customer_id})
    assert found[str(customer_id)]["name"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("role", ["support", "ops", "platform_admin"])
def test_who_may_not_export_does_not(desk_of: DeskOf, past: Past, role: Role) -> None:
    with pytest.raises(Problem) as refused:
        export_csv(desk_of(past.office, role), LISTINGS["invoices"], ListQuery())
    assert refused.value.status == 403


def test_who_may_not_read_a_list_does_not_export_it(desk_of: DeskOf, past: Past) -> None:
    with pytest.raises(Problem) as refused:
        export_csv(desk_of(past.office, "manager"), LISTINGS["parked"], ListQuery())
    assert (refused.value.status, refused.value.facts) == (403, {"permission": "parked.read"})
    assert [name for name in LISTINGS if not LISTINGS[name].is_exportable] == ["parked"]


def test_more_rows_than_a_file_may_have_are_refused_not_cut(
    desk_of: DeskOf, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(lines(export_csv(desk_of(past.office), LISTINGS["invoices"], ListQuery())))
    monkeypatch.setattr(exporting, "EXPORT_LIMIT", count)
    assert export_csv(desk_of(past.office), LISTINGS["invoices"], ListQuery())
    monkeypatch.setattr(exporting, "EXPORT_LIMIT", count - 1)
    with pytest.raises(Problem) as refused:
        export_csv(desk_of(past.office), LISTINGS["invoices"], ListQuery())
    assert (refused.value.status, refused.value.code) == (422, "too_many_rows")


def test_pickers_search_and_never_load_a_table(desk_of: DeskOf, other_past: Past) -> None:
    desk, shop = desk_of(other_past.office), other_past.office.shop
    for _ in range(CHOICES_LIMIT + 5):
        shop.add_customer()
    assert len(look_up(desk, "customers", "")) == CHOICES_LIMIT
    assert len(look_up(desk, "customers", "studio.example")) <= CHOICES_LIMIT
    (found,) = look_up(desk, "customers", "quill zo")
    assert (found.id, found.text.partition(" · ")[0]) == (shop.customer_id, "Zoë Quill")
    assert [one.id for one in look_up(desk, "plans", "МЕС")] == [shop.plan_id]
    assert look_up(desk, "plans", "no such plan") == []
    with shop.owner.begin() as connection:
        connection.execute(
            text("DELETE FROM customer c WHERE studio_id = :id AND id <> :kept"),
            {"id": shop.studio_id, "kept": shop.customer_id},
        )


def test_price_picker_offers_what_is_for_sale_now(desk_of: DeskOf, other_past: Past) -> None:
    desk, shop = desk_of(other_past.office), other_past.office.shop
    (monthly,) = (one for one in look_up(desk, "prices", "месяц") if one.id == shop.price_id)
    assert monthly.text == "Месяц · RUB1,490.00 · 1 month"
    with shop.owner.begin() as connection:
        connection.execute(text("UPDATE plan SET is_active = false WHERE id = :id"), {"id": shop.plan_id})
    gone = look_up(desk, "prices", "месяц")
    with shop.owner.begin() as connection:
        connection.execute(text("UPDATE plan SET is_active = true WHERE id = :id"), {"id": shop.plan_id})
    assert gone == []


@pytest.mark.parametrize("term", ["x" * 201, "nul\x00", "\ud800"])
def test_term_that_cannot_be_looked_for_is_refused(desk_of: DeskOf, past: Past, term: str) -> None:
    with pytest.raises(Problem) as refused:
        look_up(desk_of(past.office), "customers", term)
    assert refused.value.status == 422


def test_who_may_not_read_customers_is_offered_none(desk_of: DeskOf, past: Past) -> None:
    with pytest.raises(Problem) as refused:
        look_up(desk_of(past.office, "ops"), "customers", "")
    assert refused.value.status == 403


def test_newest_command_about_each_row_is_found_in_one_query(desk_of: DeskOf, past: Past) -> None:
    shop, desk = past.office.shop, desk_of(past.office)
    first, second, untouched = new_id(), new_id(), new_id()
    given: dict[UUID, UUID] = {}
    for subject_id in (first, first, second):
        received = shop.accept(shop.issue(subject_id), desk.principal)
        given[subject_id] = received.command_id
        with desk.transaction() as connection:
            desk.audit(connection, "IssueInvoice", subject_id, facts={"command_id": str(received.command_id)})
            desk.audit(connection, "sign_in", subject_id)
    with desk.transaction() as connection:
        found = latest_operations(connection, [first, second, untouched])
        assert latest_operations(connection, []) == {}
    with shop.owner.begin() as connection:
        connection.execute(
            text("DELETE FROM command_journal WHERE studio_id = :studio AND state = 'accepted'"),
            {"studio": shop.studio_id},
        )
    assert {subject_id: operation.command_id for subject_id, operation in found.items()} == given
    assert {operation.state for operation in found.values()} == {"accepted"}
