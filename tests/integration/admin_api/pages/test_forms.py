import html
import re

import orjson
import pytest
from httpx import Client, Response

from bus.messages import LINES_LIMIT
from kit.ids import new_id
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things, foresee, hidden_fields, send_form

REASON = {"reason": "issued twice"}


def _issue(office: Office) -> str:
    invoice_id = new_id()
    assert office.shop.tell(office.shop.issue(invoice_id)) == ["applied"]
    return str(invoice_id)


def _voids(office: Office, invoice_id: str) -> int:
    return int(
        office.shop.one(
            "SELECT count(*) FROM audit WHERE studio_id = :studio AND action = 'VoidInvoice' "
            "AND subject_id = CAST(:id AS uuid)",
            id=invoice_id,
        )
    )


def test_a_form_shows_its_effect_and_does_nothing_yet(owner: Client, office: Office) -> None:
    invoice_id = _issue(office)
    page = foresee(owner, f"/admin/do/void_invoice/{invoice_id}", **REASON)
    assert page.status_code == 200
    assert "RUB\u00a01,490.00 is canceled: nobody can pay it any more" in page.text
    # How our programs do it is there for whoever wants to know.
    for_people, _, for_engineers = page.text.partition("<details")
    assert "invoice.voided" in for_engineers
    assert "invoice.voided" not in for_people
    assert _voids(office, invoice_id) == 0


def test_a_confirmed_form_gives_one_command_and_goes_back_to_the_thing(owner: Client, office: Office) -> None:
    invoice_id = _issue(office)
    answer = send_form(owner, f"/admin/do/void_invoice/{invoice_id}", **REASON)
    assert answer.status_code == 303
    onward = answer.headers["location"]
    assert onward.startswith(f"/admin/invoices/details/{invoice_id}?operation=")
    page = owner.get(onward)
    assert "Accepted. The state changes when the command is applied." in page.text
    assert 'data-watch="/admin/operations/' in page.text
    assert _voids(office, invoice_id) == 1


def test_a_form_sent_twice_is_one_command(owner: Client, office: Office) -> None:
    invoice_id = _issue(office)
    path = f"/admin/do/void_invoice/{invoice_id}"
    page = foresee(owner, path, **REASON)
    form = {**REASON, **hidden_fields(page)}
    first, second = owner.post(path, data=form), owner.post(path, data=form)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert _voids(office, invoice_id) == 1


def test_a_form_sent_again_with_other_values_is_refused(owner: Client, office: Office) -> None:
    path = f"/admin/do/void_invoice/{_issue(office)}"
    page = foresee(owner, path, **REASON)
    form = {**REASON, **hidden_fields(page)}
    assert owner.post(path, data=form).status_code == 303
    assert owner.post(path, data={**form, "reason": "another"}).status_code == 422


@pytest.mark.parametrize(
    "forged",
    [
        {"form_token": ""},
        {"form_token": "0" * 64},
        {"form_key": "0" * 32},
        {"form_key": "", "form_token": ""},
    ],
)
def test_a_form_without_our_token_does_nothing(owner: Client, office: Office, forged: dict[str, str]) -> None:
    invoice_id = _issue(office)
    path = f"/admin/do/void_invoice/{invoice_id}"
    page = foresee(owner, path, **REASON)
    answer = owner.post(path, data={**REASON, **hidden_fields(page), **forged})
    assert answer.status_code == 403
    assert "This form is out of date" in answer.text
    assert _voids(office, invoice_id) == 0


def test_a_form_of_another_path_does_nothing(owner: Client, office: Office) -> None:
    one, other = _issue(office), _issue(office)
    page = foresee(owner, f"/admin/do/void_invoice/{one}", **REASON)
    answer = owner.post(f"/admin/do/void_invoice/{other}", data={**REASON, **hidden_fields(page)})
    assert answer.status_code == 403
    assert _voids(office, other) == 0


def test_a_form_of_another_person_does_nothing(owner: Client, office: Office, browse: Browse) -> None:
    invoice_id = _issue(office)
    path = f"/admin/do/void_invoice/{invoice_id}"
    page = foresee(browse("manager"), path, **REASON)
    answer = owner.post(path, data={**REASON, **hidden_fields(page)})
    assert answer.status_code == 403
    assert _voids(office, invoice_id) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_post_from_another_site_is_refused(owner: Client, office: Office, headers: dict[str, str]) -> None:
    invoice_id = _issue(office)
    path = f"/admin/do/void_invoice/{invoice_id}"
    page = foresee(owner, path, **REASON)
    answer = owner.post(path, data={**REASON, **hidden_fields(page)}, headers=headers)
    assert answer.status_code == 403
    assert _voids(office, invoice_id) == 0


def test_nobody_signs_in_or_out_from_another_site(browse: Browse, office: Office) -> None:
    browser = browse("support")
    elsewhere = {"Origin": "https://evil.example"}
    assert browser.post("/admin/sign-out", headers=elsewhere).status_code == 403
    assert browser.get("/admin/profile").status_code == 200
    form = {"email": office.email_of("support"), "password": "correct horse battery"}
    answer = browse(None).post("/admin/login", data=form, headers=elsewhere)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_get_of_the_way_out_ends_nothing(browse: Browse) -> None:
    browser = browse("support")
    assert browser.get("/admin/logout").status_code == 200
    assert browser.get("/admin/profile").status_code == 200


def test_a_cookie_is_worth_nothing_after_signing_out(browse: Browse) -> None:
    browser = browse("support")
    stolen = dict(browser.cookies)
    assert browser.post("/admin/sign-out").status_code == 303
    browser.cookies.update(stolen)
    answer = browser.get("/admin/invoices/list")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/admin/login")


def test_who_is_not_signed_in_sees_no_page_and_no_form(browse: Browse, things: Things) -> None:
    nobody = browse(None)
    for path in (
        "/admin/",
        "/admin/invoices/list",
        f"/admin/invoices/details/{things.invoice}",
        "/admin/invoices/export/csv",
        f"/admin/do/void_invoice/{things.open_invoice}",
        "/admin/look-ups/customers?term=a",
        f"/admin/operations/{things.invoice}",
        "/admin/profile",
        "/admin/platform",
    ):
        answer = nobody.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/admin/login"), path


def test_a_role_sees_the_buttons_that_it_may_press(browse: Browse, things: Things) -> None:
    path = f"/admin/invoices/details/{things.open_invoice}"
    form = f"/admin/do/void_invoice/{things.open_invoice}"
    support, manager = browse("support"), browse("manager")
    assert form not in support.get(path).text
    assert form in manager.get(path).text
    assert support.get(form).status_code == 403
    assert support.post(form, data=REASON).status_code == 403


def test_what_is_not_legal_now_has_no_button(owner: Client, things: Things) -> None:
    page = owner.get(f"/admin/invoices/details/{things.invoice}")
    assert "/admin/do/void_invoice/" not in page.text
    assert f"/admin/do/request_refund/{things.invoice}" in page.text


def test_a_wrong_amount_is_told_at_its_field(owner: Client, things: Things) -> None:
    for typed in ("abc", "0", "-5", "10,555", "1e3"):
        path = f"/admin/do/request_refund/{things.invoice}"
        answer = foresee(owner, path, amount_minor=typed, reason="too loud")
        assert answer.status_code == 422, typed
        assert 'aria-invalid="true"' in answer.text
        assert 'class="fault"' in answer.text


def test_an_amount_is_typed_as_people_write_it(owner: Client, things: Things) -> None:
    path = f"/admin/do/request_refund/{things.invoice}"
    page = foresee(owner, path, amount_minor="1 0,50", reason="too loud")
    assert page.status_code == 200
    assert "RUB\u00a010.50" in page.text


def test_going_back_to_change_keeps_what_was_typed(owner: Client, things: Things) -> None:
    path = f"/admin/do/request_refund/{things.invoice}"
    page = foresee(owner, path, amount_minor="10", reason="the hall's door was shut")
    again = owner.post(path, data={**hidden_fields(page), "change": "1"})
    assert again.status_code == 200
    assert 'value="10"' in again.text
    assert "the hall&#39;s door was shut" in again.text
    assert 'class="effect"' not in again.text


def test_looking_at_the_effect_takes_a_form_of_ours_too(owner: Client, things: Things) -> None:
    path = f"/admin/do/request_refund/{things.invoice}"
    form = {"amount_minor": "10", "reason": "too loud", "preview": "1"}
    assert owner.post(path, data=form).status_code == 403
    assert owner.get(path, params=form).text.count('class="effect"') == 0


def test_a_long_body_is_edited_foreseen_and_sent(owner: Client, office: Office) -> None:
    """Twice as long as the address of a page may be."""
    shop, invoice_id = office.shop, new_id()
    parked_id = shop.accept(shop.issue(invoice_id)).command_id
    shop.rows(
        "UPDATE command_journal SET state = 'parked', answered_at = now(), tries = 5, "
        "problem = jsonb_build_object('code', 'too_many_tries') WHERE command_id = :id",
        id=parked_id,
    )
    path = f"/admin/do/edit_command/{parked_id}"
    form = owner.get(path)
    shown = re.search(r'<textarea[^>]* name="body"[^>]*>\n([^<]*)', form.text)
    assert shown is not None, form.text
    body = orjson.loads(html.unescape(shown[1]))
    body["lines"] = [{**body["lines"][0], "description": "Барабаны " * 14}] * LINES_LIMIT
    typed = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    assert len(typed.encode()) > 30_000
    page = _post_as_browsers_do(owner, path, {**hidden_fields(form), "body": typed})
    assert page.status_code == 200, page.text
    assert 'class="effect"' in page.text
    assert shop.one("SELECT count(*) FROM invoice WHERE id = :id", id=invoice_id) == 0
    again = _post_as_browsers_do(owner, path, {**hidden_fields(page), "change": "1"})
    assert html.escape(typed, quote=False).replace('"', "&#34;") in again.text
    answer = _post_as_browsers_do(owner, path, hidden_fields(page))
    assert answer.status_code == 303, answer.text
    sent = answer.headers["location"].partition("operation=")[2]
    stored = shop.one("SELECT body FROM command_journal WHERE command_id = CAST(:id AS uuid)", id=sent)
    assert len(orjson.loads(bytes(stored))["lines"]) == LINES_LIMIT


def _post_as_browsers_do(browser: Client, path: str, fields: dict[str, str]) -> Response:
    return browser.post(path, files={name: (None, value) for name, value in fields.items()})


def test_a_secret_is_shown_once_and_kept_nowhere(owner: Client, office: Office) -> None:
    path = "/admin/do/create_token"
    page = owner.get(path)
    answer = owner.post(path, data={"label": "Export", "days": "30", **hidden_fields(page)})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert 'class="secret"' in answer.text
    assert 'class="secret"' not in owner.get("/admin/profile").text


def test_an_invitation_is_accepted_on_its_page(owner: Client, office: Office, browse: Browse) -> None:
    path = "/admin/do/invite_staff"
    page = owner.get(path)
    email = f"new-{new_id().hex[:6]}@{office.host}"
    shown = owner.post(path, data={"email": email, "role": "support", **hidden_fields(page)})
    assert shown.status_code == 200
    link = shown.text.split('class="secret" tabindex="0">')[1].split("<")[0]
    door, _, token = link.partition("#")
    assert door == f"http://{office.host}/admin/invitation"
    newcomer = browse(None)
    assert newcomer.get("/admin/invitation").status_code == 200
    wish = {"token": token, "name": "Vera", "password": "correct horse battery"}
    assert newcomer.post("/admin/invitation", data={**wish, "password": "short"}).status_code == 422
    assert newcomer.post("/admin/invitation", data=wish).status_code == 303
    assert "Vera" in newcomer.get("/admin/profile").text
    assert browse(None).post("/admin/invitation", data=wish).status_code == 409


def test_a_wrong_password_is_told_in_words(browse: Browse, office: Office) -> None:
    form = {"email": office.email_of("owner"), "password": "wrong password"}
    answer = browse(None).post("/admin/login", data=form)
    assert answer.status_code == 401
    assert "E-mail or password is not right" in answer.text or "Неверная почта или пароль" in answer.text
    assert "wrong password" not in answer.text
