"""The audit as people read it: in a studio as sentences, over all studios by ids and roles."""

import csv
import html
import re
from collections.abc import Callable
from io import StringIO

import pytest
from httpx import Client

from kit.ids import new_id
from storage.audit import write_audit
from storage.database import tenant
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things, foresee, send_form

PLATFORM = "/admin/platform/audit"


@pytest.fixture(scope="module")
def voided(owner: Client, office: Office) -> str:
    invoice_id = new_id()
    assert office.shop.tell(office.shop.issue(invoice_id)) == ["applied"]
    answer = send_form(owner, f"/admin/do/void_invoice/{invoice_id}", reason="issued twice")
    assert answer.status_code == 303
    return str(invoice_id)


def test_a_line_says_who_did_what_to_what(owner: Client, office: Office, voided: str) -> None:
    number = office.shop.one("SELECT number FROM invoice WHERE id = CAST(:id AS uuid)", id=voided)
    page = owner.get("/admin/audit/list", params={"subject": voided})
    sentence = " ".join(_text(page.text.split('class="cell-sentence">')[1].split("</td>")[0]).split())
    assert sentence == f"Owner voids an invoice — invoice {number} accepted"
    assert f'href="/admin/invoices/details/{voided}"' in page.text
    assert "VoidInvoice" not in page.text.partition("<tbody>")[2]


def test_a_customer_who_came_by_a_letters_link_is_named_and_leads_to_the_card(
    owner: Client, office: Office
) -> None:
    subject_id, customer_id = new_id(), office.shop.add_customer()
    with tenant(office.shop.api, office.shop.studio_id) as connection:
        write_audit(
            connection,
            studio_id=office.shop.studio_id,
            principal=f"link:{customer_id}",
            action="CancelSubscription",
            subject_id=subject_id,
            remote_address=None,
            correlation_id="test",
        )
    page = owner.get("/admin/audit/list", params={"who": str(customer_id)})
    assert "Anna, by a letter&#39;s link" in page.text
    assert f'href="/admin/customers/details/{customer_id}"' in page.text


def test_what_changed_is_told_with_its_words(owner: Client, things: Things) -> None:
    for name in ("Evenings", "Nights", "Месяц"):
        form = {"name": name, "is_active": "on"}
        assert foresee(owner, f"/admin/do/change_plan/{things.plan}", **form).status_code == 303
    page = owner.get("/admin/audit/list", params={"subject": str(things.plan)})
    assert "Evenings → Nights" in page.text


def test_kinds_are_chosen_from_words(owner: Client, voided: str) -> None:
    page = owner.get("/admin/audit/list", params={"action": "VoidInvoice"})
    assert '<option value="VoidInvoice" selected>voids an invoice</option>' in page.text
    assert f"/admin/invoices/details/{voided}" in page.text
    assert "signs in</td>" not in page.text


def test_the_platform_sees_all_studios_and_no_customer(
    browse: Browse, office: Office, other_office: Office, things: Things, other_things: Things
) -> None:
    browse("owner", other_office)
    page = browse("platform_admin").get(PLATFORM)
    assert page.status_code == 200
    for each in (office, other_office):
        assert str(each.staff["owner"]) in page.text
        name, email = each.shop.rows("SELECT name, email FROM customer WHERE studio_id = :studio LIMIT 1")[0]
        assert email not in page.text
        assert f">{name}<" not in page.text


def test_the_platform_filters_by_studio_person_and_kind(
    browse: Browse, office: Office, other_office: Office, voided: str
) -> None:
    browse("owner", other_office)
    browser = browse("platform_admin")
    ours = browser.get(PLATFORM, params={"studio_id": str(office.shop.studio_id)})
    assert str(other_office.staff["owner"]) not in ours.text
    theirs = browser.get(PLATFORM, params={"who": other_office.email_of("owner")})
    assert str(other_office.staff["owner"]) in theirs.text
    assert str(office.staff["owner"]) not in theirs.text
    by_id = browser.get(PLATFORM, params={"who": str(office.staff["owner"]), "action": "VoidInvoice"})
    assert voided in by_id.text
    assert voided not in browser.get(PLATFORM, params={"from": "2020-01-01", "to": "2020-01-31"}).text


@pytest.mark.parametrize(
    "wrong", [{"studio_id": "x"}, {"from": "yesterday"}, {"before": "1"}, {"who": "a" * 300}]
)
def test_what_the_platform_cannot_mean_is_refused(browse: Browse, wrong: dict[str, str]) -> None:
    assert browse("platform_admin").get(PLATFORM, params=wrong).status_code == 422


def test_the_platforms_export_has_the_same_lines_and_is_audited(
    browse: Browse, office: Office, voided: str
) -> None:
    answer = browse("platform_admin").get(f"{PLATFORM}.csv", params={"action": "VoidInvoice"})
    assert answer.status_code == 200
    lines = list(csv.DictReader(StringIO(answer.text.lstrip("\ufeff"))))
    assert voided in [line["subject_id"] for line in lines]
    assert {line["action"] for line in lines} == {"VoidInvoice"}
    assert office.shop.one(
        "SELECT count(*) FROM audit WHERE studio_id = :studio AND action = 'export' "
        "AND facts ->> 'list' = 'platform_audit'"
    )


def test_pages_continue_where_the_last_one_ended(browse: Browse, office: Office) -> None:
    browser = browse("platform_admin")
    with office.shop.owner.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit (id, studio_id, principal, action, correlation_id) "
            "SELECT gen_random_uuid(), %s, 'cli:test', 'test_page', 'test' FROM generate_series(1, 120)",
            (office.shop.studio_id,),
        )
    path, seen = f"{PLATFORM}?action=test_page", 0
    while path:
        page = browser.get(path)
        seen += page.text.count("test_page</td>")
        older = page.text.partition('<div class="list-foot"><a href="')[2]
        path = html.unescape(older.partition('"')[0])
    assert seen == 120


def _text(markup: str) -> str:
    return re.sub("<[^>]*>", "", markup)


def test_the_platforms_api_tells_the_same_lines(
    sign_in: Callable[..., Client], office: Office, other_office: Office
) -> None:
    """Of both studios, or of the one that is asked for; nobody else may ask."""
    platform = sign_in("platform_admin")
    seen = platform.get("/platform/audit", params={"studio_id": str(other_office.shop.studio_id)}).json()
    assert {line["studio_id"] for line in seen["items"]} <= {str(other_office.shop.studio_id)}
    signed_in = platform.get("/platform/audit", params={"action": "sign_in"}).json()["items"]
    assert str(office.shop.studio_id) in {line["studio_id"] for line in signed_in}
    assert sign_in("owner").get("/platform/audit").status_code == 403
