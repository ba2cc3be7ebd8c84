"""Signing in and out, and every sign-in that must not work any more."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from httpx import Client, Response
from sqlalchemy import text

from admin_api.people.cookies import cookie_name
from admin_api.people.sign_in import SIGN_IN_LIFETIME, sign_in
from storage.staff import end_sign_ins
from tests.databases import owner_engine
from tests.integration.admin_api.people.office import PASSWORD, Office, OpenOffice, do
from web.problems import Problem

PREFIX = "/admin/api/v1"


def knock(door: Client, office: Office, email: str, password: str = PASSWORD) -> Response:
    body = {"email": email, "password": password}
    return door.post(f"{PREFIX}/sign-in", json=body, headers={"Host": office.host})


def show(door: Client, office: Office, token: str, path: str = f"{PREFIX}/me") -> Response:
    return door.get(path, headers={"Host": office.host, "Authorization": f"Bearer {token}"})


def test_a_member_signs_in_and_is_told_who_they_are(door: Client, office: Office) -> None:
    member = office.hire("support")
    answer = knock(door, office, member.email.upper())
    assert answer.status_code == 200, answer.text
    me = show(door, office, answer.json()["access_token"]).json()
    assert (me["id"], me["role"], me["email"]) == (str(member.id), "support", member.email)
    assert "refunds.request" in me["permissions"]
    assert "refunds.decide" not in me["permissions"]


def test_whoever_may_not_come_in_gets_the_same_answer(door: Client, office: Office) -> None:
    owner, gone = office.hire(), office.hire("support")
    do(office.desk(owner), "deactivate_staff", gone.id)
    answers = [
        knock(door, office, owner.email, "wrong"),
        knock(door, office, "nobody@example.org"),
        knock(door, office, gone.email),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert answers[0].json()["code"] == "wrong_credentials"


def test_a_member_of_one_studio_is_nobody_at_another(
    door: Client, office: Office, open_one: OpenOffice
) -> None:
    member, elsewhere = office.hire(), open_one()
    token = office.enter(member).token
    assert knock(door, elsewhere, member.email).status_code == 401
    assert show(door, elsewhere, token).status_code == 401
    assert show(door, office, token).status_code == 200


def test_a_token_is_worth_nothing_after_signing_out(door: Client, office: Office) -> None:
    token = office.enter(office.hire()).token
    headers = {"Host": office.host, "Authorization": f"Bearer {token}"}
    assert door.post(f"{PREFIX}/sign-out", headers=headers).status_code == 204
    assert show(door, office, token).status_code == 401
    assert door.post(f"{PREFIX}/sign-out", headers=headers).status_code == 401


def test_a_sign_in_ends_with_its_time(office: Office) -> None:
    token = office.enter(office.hire()).token
    office.clock.turn(SIGN_IN_LIFETIME - timedelta(seconds=1))
    assert office.find_desk(token) is not None
    office.clock.turn(timedelta(seconds=1))
    assert office.find_desk(token) is None


def test_a_role_that_was_taken_is_gone_from_living_sign_ins(door: Client, office: Office) -> None:
    owner, manager = office.hire(), office.hire("manager")
    token = office.enter(manager).token
    assert show(door, office, token, "/invoices").status_code == 200
    do(office.desk(owner), "change_staff", manager.id, name="Anna", role="support")
    refused = show(door, office, token, "/invoices")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_sign_in_of_who_is_deactivated_is_none_even_when_nobody_ended_it(office: Office) -> None:
    member = office.hire()
    token = office.enter(member).token
    office.ask("UPDATE staff_member SET deactivated_at = now() WHERE id = :id", id=member.id)
    assert office.find_desk(token) is None


def test_the_api_takes_no_cookie_and_the_pages_no_bearer(door: Client, office: Office) -> None:
    member = office.hire()
    browser, bearer = office.enter(member, "browser").token, office.enter(member, "token").token
    name = cookie_name(office.services.settings)
    host = {"Host": office.host}
    assert door.get("/page", headers={**host, "Cookie": f"{name}={browser}"}).json() == str(member.id)
    assert door.get("/page", headers={**host, "Cookie": f"{name}={bearer}"}).json() is None
    assert door.get("/page", headers={**host, "Authorization": f"Bearer {browser}"}).json() is None
    assert door.get(f"{PREFIX}/me", headers={**host, "Cookie": f"{name}={browser}"}).status_code == 401
    assert show(door, office, browser).status_code == 401


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "Basic eDp4", f"Bearer {'x' * 5000}", "Bearer \xe9"])
def test_what_is_no_token_gets_401_with_a_challenge(door: Client, office: Office, value: str) -> None:
    headers = [(b"Host", office.host.encode()), (b"Authorization", value.encode("latin-1"))]
    answer = door.get(f"{PREFIX}/me", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("email", "password"),
    [("a\x00@example.org", "x"), ("", ""), ("a@example.org\n", "x" * 129), ("'--", "x")],
)
def test_what_a_form_can_send_never_breaks_the_way_in(office: Office, email: str, password: str) -> None:
    with pytest.raises(Problem) as refused:
        sign_in(
            office.services, office.studio_id, email, password, remote_address=None, correlation_id="x" * 8
        )
    assert refused.value.status == 401


@pytest.mark.parametrize("ending", ["deactivated", "another password"])
def test_a_sign_in_that_is_being_made_ends_with_what_it_was_proven_by(office: Office, ending: str) -> None:
    """The password is right when it is looked at; before the commit the member or the password is gone."""
    member = office.hire()
    changes = {
        "deactivated": "UPDATE staff_member SET deactivated_at = now() WHERE id = :id",
        "another password": "UPDATE staff_member SET password_hash = 'other' WHERE id = :id",
    }
    with ThreadPoolExecutor(1) as visitor:
        with owner_engine(office.database_url).begin() as connection:
            connection.execute(text(changes[ending]), {"id": member.id})
            entering = visitor.submit(
                sign_in, office.services, office.studio_id, member.email, PASSWORD,
                remote_address=None, correlation_id="x" * 8,
            )  # fmt: skip
            wait([entering], timeout=1.5)
            assert not entering.done()
            end_sign_ins(connection, member.id, office.clock())
        with pytest.raises(Problem) as refused:
            entering.result(timeout=10)
    assert refused.value.code == "wrong_credentials"
    assert office.ask("SELECT id FROM session WHERE staff_member_id = :id", id=member.id) == []


def test_coming_and_going_is_audited_without_addresses_and_secrets(door: Client, office: Office) -> None:
    member = office.hire()
    knock(door, office, member.email, "wrong password")
    knock(door, office, "nobody@example.org", "wrong password")
    token = knock(door, office, member.email).json()["access_token"]
    door.post(f"{PREFIX}/sign-out", headers={"Host": office.host, "Authorization": f"Bearer {token}"})
    assert office.audited() == [
        ("sign_in_failed", member.id),
        ("sign_in_failed", None),
        ("sign_in", member.id),
        ("sign_out", member.id),
    ]
    rows = office.ask(
        "SELECT principal, host(remote_address), audit::text FROM audit WHERE studio_id = :id ORDER BY id",
        id=office.studio_id,
    )
    assert [row[0] for row in rows] == ["nobody", "nobody", f"staff:{member.id}", f"staff:{member.id}"]
    assert {row[1] for row in rows} == {"127.0.0.1"}
    assert not any(word in str(rows) for word in ("@", token, "password", "argon2"))
