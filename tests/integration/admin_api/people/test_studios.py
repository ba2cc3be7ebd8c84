"""New studios: whole, with the invitation of an owner, made by the platform alone."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from admin_api.people.invitations import find_invitation
from billing.ledger import Account
from kit.errors import Refused
from tests.integration.admin_api.people.office import Office, do
from web.problems import Problem


def body(**change: object) -> dict[str, object]:
    host = f"{secrets.token_hex(4)}.example.org"
    return {
        "name": "Студия", "host": host, "timezone": "Asia/Yekaterinburg", "owner_email": "Owner@example.org",
        **change,
    }  # fmt: skip


def test_a_new_studio_has_its_accounts_and_an_invited_owner(office: Office) -> None:
    desk, wanted = office.desk(office.hire("platform_admin")), body()
    done = do(desk, "create_studio", **wanted)
    assert done.subject_id is not None
    studio = office.ask(
        "SELECT host, timezone, currency, (SELECT count(*) FROM ledger_account WHERE studio_id = studio.id) "
        "FROM studio WHERE id = :id",
        id=done.subject_id,
    )
    assert studio == [(wanted["host"], "Asia/Yekaterinburg", "RUB", len(Account))]
    invited = find_invitation(office.services, done.subject_id, done.secret or "")
    assert invited is not None
    assert (invited.email, invited.role) == ("owner@example.org", "owner")
    assert find_invitation(office.services, office.studio_id, done.secret or "") is None
    rows = office.ask(
        "SELECT studio_id, action FROM audit WHERE subject_id = :id ORDER BY id", id=done.subject_id
    )
    assert rows == [(done.subject_id, "create_studio"), (office.studio_id, "create_studio")]


def test_a_host_is_kept_as_browsers_send_it(office: Office) -> None:
    wanted = body()
    desk, host = office.desk(office.hire("platform_admin")), f"Студия.{wanted['host']}"
    done = do(desk, "create_studio", **{**wanted, "host": host})
    studio = office.ask("SELECT host FROM studio WHERE id = :id", id=done.subject_id)
    assert studio == [(f"xn--d1aizef8e.{wanted['host']}",)]


def test_a_host_belongs_to_one_studio(office: Office) -> None:
    with pytest.raises(Problem) as refused:
        do(office.desk(office.hire("platform_admin")), "create_studio", **body(host=office.host.upper()))
    assert (refused.value.status, refused.value.code) == (409, "host_taken")


def test_the_same_request_at_once_makes_one_studio(office: Office) -> None:
    desk, wanted = office.desk(office.hire("platform_admin")), body()
    with ThreadPoolExecutor(4) as crowd:
        done = list(crowd.map(lambda _: do(desk, "create_studio", None, "key", **wanted), range(4)))
    assert {one.subject_id for one in done} == {done[0].subject_id}
    assert {one.secret for one in done} == {done[0].secret}
    assert len(office.ask("SELECT 1 FROM invitation WHERE studio_id = :id", id=done[0].subject_id)) == 1
    with pytest.raises(Refused, match="idempotency_key_reused"):
        do(desk, "create_studio", None, "key", **{**wanted, "name": "Another"})


@pytest.mark.parametrize("role", ["owner", "manager", "support", "ops"])
def test_a_studio_makes_no_studios(office: Office, role: str) -> None:
    with pytest.raises(Problem) as refused:
        do(office.desk(office.hire(role)), "create_studio", **body())
    assert refused.value.code == "forbidden"


@pytest.mark.parametrize(
    "change",
    [
        {"host": "a b.example.org"},
        {"host": "a.example.org:80"},
        {"host": "a.example.org@evil"},
        {"host": "студия рф"},
        {"host": "a..example.org"},
        {"timezone": "Mars/Phobos"},
        {"timezone": "../../etc/passwd"},
        {"currency": "rub"},
        {"owner_email": "no"},
        {"locale": "de"},
        {"seller_studio_id": "x"},
    ],
    ids=str,
)
def test_a_studio_that_is_not_quite_one_is_refused(office: Office, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        do(office.desk(office.hire("platform_admin")), "create_studio", **body(**change))
