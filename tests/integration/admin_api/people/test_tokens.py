"""Tokens for programs: shown once, ended at once, and by whom."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from admin_api.people import sign_ins
from admin_api.people.sign_in import sign_out
from admin_api.people.tokens import token_hash
from kit.errors import Refused
from storage.database import tenant
from tests.integration.admin_api.people.office import NAMED, Office, OpenOffice, do
from web.problems import Problem


def test_a_token_works_with_the_persons_role_until_its_day(office: Office) -> None:
    member = office.hire("manager")
    secret = do(office.desk(member), "create_token", label="Export", days=2).secret
    assert secret is not None
    office.clock.turn(timedelta(days=2) - timedelta(seconds=1))
    desk = office.find_desk(secret)
    assert desk is not None
    assert (desk.person.id, desk.person.role) == (member.id, "manager")
    assert office.find_desk(secret, "browser") is None
    office.clock.turn(timedelta(seconds=1))
    assert office.find_desk(secret) is None


def test_only_the_hash_of_a_token_is_stored(office: Office) -> None:
    secret = do(office.desk(office.hire()), "create_token", label="Export").secret
    assert secret is not None
    rows = office.ask("SELECT session::text FROM session WHERE studio_id = :s", s=office.studio_id)
    assert token_hash(secret).hex() in str(rows)
    assert secret not in str(rows)
    assert secret not in str(
        office.ask("SELECT audit::text FROM audit WHERE studio_id = :s", s=office.studio_id)
    )


def test_the_same_request_makes_one_token_and_shows_the_same_secret(office: Office) -> None:
    desk = office.desk(office.hire())
    first = do(desk, "create_token", None, "key", label="Export")
    again = do(desk, "create_token", None, "key", label="Export")
    other = do(office.desk(office.hire()), "create_token", None, "key", label="Export")
    assert first == again
    assert first.secret != other.secret
    assert [action for action, _ in office.audited()].count("create_token") == 2
    with pytest.raises(Refused, match="idempotency_key_reused"):
        do(desk, "create_token", None, "key", label="Another")


def test_one_ends_ones_own_and_an_owner_ends_anybodys(office: Office, open_one: OpenOffice) -> None:
    owner, member = office.desk(office.hire()), office.hire("support")
    desk = office.desk(member)
    for ender in (desk, owner):
        done = do(desk, "create_token", label="Export")
        do(ender, "revoke_token", done.subject_id)
        assert office.find_desk(done.secret or "") is None
    browser = office.desk(member, "browser")
    do(owner, "end_sign_in", browser.person.session_id)
    assert not office.is_alive(browser)


def test_a_token_of_somebody_else_does_not_exist(office: Office, open_one: OpenOffice) -> None:
    owner, elsewhere = office.desk(office.hire()), open_one()
    foreign = [
        (office.desk(office.hire("manager")), owner),
        (elsewhere.desk(elsewhere.hire()), owner),
    ]
    for asking, asked in foreign:
        with pytest.raises(Problem) as refused:
            do(asking, "revoke_token", asked.person.session_id)
        assert refused.value.code == "not_found"
    with pytest.raises(Problem):
        do(owner, "end_sign_in", owner.person.session_id)
    assert office.is_alive(owner)


def test_a_sign_in_that_was_ended_meanwhile_makes_no_token(office: Office) -> None:
    desk = office.desk(office.hire())
    sign_out(desk)
    with pytest.raises(Problem) as refused:
        do(desk, "create_token", label="Export")
    assert refused.value.code == "unauthenticated"


def test_live_tokens_are_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "LIVE_TOKENS_MAX", 2)
    desk = office.desk(office.hire(), "browser")
    tokens = [do(desk, "create_token", label="Export") for _ in range(2)]
    with pytest.raises(Problem) as refused:
        do(desk, "create_token", label="Export")
    assert refused.value.code == "too_many_tokens"
    do(desk, "revoke_token", tokens[0].subject_id)
    do(desk, "create_token", label="Export")


@pytest.mark.parametrize("days", [0, -1, 366, 10**9, "x"])
def test_a_token_lives_a_year_at_most(office: Office, days: object) -> None:
    with pytest.raises(ValidationError):
        do(office.desk(office.hire()), "create_token", label="Export", days=days)


def test_buttons_are_there_for_what_still_lives(office: Office) -> None:
    """By the database's clock: what a button's action does is decided by ours."""
    office.clock.now = datetime.now(UTC)
    token, browser = office.desk(office.hire()), office.desk(office.hire(), "browser")
    with tenant(office.services.engine, office.studio_id) as connection:
        assert NAMED["revoke_token"].is_open(connection, token.person.session_id)
        assert NAMED["end_sign_in"].is_open(connection, browser.person.session_id)
        assert not NAMED["revoke_token"].is_open(connection, browser.person.session_id)
    sign_out(browser)
    with tenant(office.services.engine, office.studio_id) as connection:
        assert not NAMED["end_sign_in"].is_open(connection, browser.person.session_id)
