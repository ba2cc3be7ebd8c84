import pytest
from httpx import Client

from admin_api.listings import LISTINGS
from kit.ids import new_id
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things

INJECTED = (
    "id; DROP TABLE invoice",
    "state' OR '1'='1",
    "studio_id",
    "password_hash",
    "-",
    "--",
    "number,id",
)


@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_every_list_opens_and_leads_to_a_csv(owner: Client, things: Things, name: str) -> None:
    page = owner.get(f"/admin/{name}/list")
    assert page.status_code == 200, page.text
    export = owner.get(f"/admin/{name}/export/csv")
    assert export.status_code == 200
    assert export.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_what_a_list_does_not_know_gets_a_page_that_says_so(owner: Client, name: str) -> None:
    asked = [
        *({"sort": sort} for sort in INJECTED),
        {"unheard_of": "1"},
        {"state' OR 1=1 --": "x"},
        {"page": "0"},
        {"page": "-1"},
        {"page": "501"},
        {"page": "9" * 30},
        {"page": "1 OR 1=1"},
        {"page": "１"},
        {"sort": "", "pageSize": "1000000"},
        *({one.name: "' OR 1=1 --"} for one in LISTINGS[name].filters if one.kind != "text"),
    ]
    for query in asked:
        answer = owner.get(f"/admin/{name}/list", params=query)
        assert answer.status_code == 422, query
        assert "The request cannot be understood" in answer.text
        assert "psycopg" not in answer.text
        assert "SELECT" not in answer.text


@pytest.mark.parametrize(
    "term", ["'", "' OR 1=1 --", "%", "_", "\\", "<script>", "a" * 200, "*:*", "a & | b", "🎸"]
)
def test_any_search_is_a_search(owner: Client, term: str) -> None:
    for name, listing in LISTINGS.items():
        if listing.search:
            assert owner.get(f"/admin/{name}/list", params={"search": term}).status_code == 200, name


def test_a_nul_in_a_query_is_refused(owner: Client) -> None:
    assert owner.get("/admin/customers/list?search=%00").status_code == 422


def test_a_list_shows_its_own_studio_alone(owner: Client, things: Things, other_things: Things) -> None:
    for name, mine, theirs in (
        ("invoices", things.invoice, other_things.invoice),
        ("subscriptions", things.subscription, other_things.subscription),
        ("customers", things.customer, other_things.customer),
        ("payments", things.attempt, other_things.attempt),
        ("refunds", things.refund, other_things.refund),
    ):
        page = owner.get(f"/admin/{name}/list").text + owner.get(f"/admin/{name}/export/csv").text
        assert str(mine) in page, name
        assert str(theirs) not in page, name
        searched = owner.get(f"/admin/{name}/list", params={"search": str(theirs)}).text
        assert f"details/{theirs}" not in searched


def test_foreign_things_are_not_there(owner: Client, other_things: Things) -> None:
    foreign = {
        "customers": other_things.customer,
        "subscriptions": other_things.subscription,
        "invoices": other_things.invoice,
        "payments": other_things.attempt,
        "refunds": other_things.refund,
        "plans": other_things.plan,
        "prices": other_things.price,
    }
    for name, thing_id in foreign.items():
        assert owner.get(f"/admin/{name}/details/{thing_id}").status_code == 404, name
    for action, thing_id in (
        ("void_invoice", other_things.open_invoice),
        ("request_refund", other_things.invoice),
        ("approve_refund", other_things.refund),
        ("cancel_subscription", other_things.subscription),
        ("create_subscription", other_things.customer),
        ("add_note", other_things.customer),
        ("set_price", other_things.plan),
    ):
        assert owner.get(f"/admin/do/{action}/{thing_id}").status_code == 404, action


def test_foreign_commands_are_not_there(owner: Client, other_office: Office, other_things: Things) -> None:
    command_id = other_office.shop.one(
        "SELECT command_id FROM command_journal WHERE studio_id = :studio LIMIT 1"
    )
    assert owner.get(f"/admin/operations/{command_id}").status_code == 404
    page = owner.get("/admin/invoices/list", params={"operation": str(command_id)})
    assert "data-operation-state" not in page.text


def test_bulk_keys_of_another_studio_do_nothing(owner: Client, things: Things, other_things: Things) -> None:
    keys = f"{other_things.invoice},{things.invoice}"
    for method in ("GET", "POST", "DELETE"):
        answer = owner.request(method, "/admin/invoices/delete", params={"pks": keys})
        assert answer.status_code in (404, 405)
    assert owner.get("/admin/invoices/export/csv", params={"pks": keys}).status_code == 422


@pytest.mark.parametrize("name", sorted(LISTINGS))
@pytest.mark.parametrize("key", ["1", "x", "None", "../../etc/passwd", "a;b", "' OR 1=1"])
def test_what_is_no_id_is_nothing(owner: Client, name: str, key: str) -> None:
    assert owner.get(f"/admin/{name}/details/{key}").status_code == 404


def test_an_unknown_thing_is_told_in_the_frame(owner: Client) -> None:
    answer = owner.get(f"/admin/invoices/details/{new_id()}")
    assert answer.status_code == 404
    assert "There is no such thing here" in answer.text
    assert 'id="menu"' in answer.text


def test_a_role_sees_only_its_lists(browse: Browse) -> None:
    support = browse("support")
    menu = support.get("/admin/customers/list").text
    for name, listing in LISTINGS.items():
        may = support.get(f"/admin/{name}/list").status_code == 200
        assert may == (f'href="/admin/{name}/list"' in menu), name
        assert support.get(f"/admin/{name}/export/csv").status_code == 403, "support exports nothing"
        if listing.permission in ("parked.read", "audit.read", "staff.read"):
            assert not may, name


def test_only_the_platform_sees_the_platform(browse: Browse, owner: Client) -> None:
    assert owner.get("/admin/platform").status_code == 403
    platform = browse("platform_admin")
    assert platform.get("/admin/platform").status_code == 200
    assert platform.get("/admin/customers/list").status_code == 403
    assert platform.get("/admin/").headers["location"] == "/admin/platform"


def test_an_invoice_shows_its_path_and_its_history(owner: Client, things: Things) -> None:
    page = owner.get(f"/admin/invoices/details/{things.invoice}").text
    assert '<svg class="machine machine-invoice' in page
    assert 'data-state="paid"' in page
    assert "timeline-list" in page


def test_a_picker_offers_its_own_studio_alone(owner: Client, things: Things, other_things: Things) -> None:
    found = owner.get("/admin/look-ups/customers", params={"term": "Anna"}).json()
    ids = {one["id"] for one in found["items"]}
    assert str(things.customer) in ids
    assert str(other_things.customer) not in ids
    assert len(ids) <= 20
    assert (
        owner.get("/admin/look-ups/customers", params={"term": str(other_things.customer)}).json()["items"]
        == []
    )
    assert owner.get("/admin/look-ups/staff_member").status_code == 404
