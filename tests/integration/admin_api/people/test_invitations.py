"""Inviting: a link is good once, for its time, at its studio, and for nobody's advantage."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from httpx import Client
from pydantic import ValidationError

from admin_api.people import invitations
from admin_api.people.invitations import Newcomer, accept_invitation, find_invitation
from admin_api.people.tokens import SignedIn
from admin_api.permissions import ROLES, STUDIO_ROLES
from kit.errors import Refused
from storage.staff import INVITATION_LIFETIME, member_id_of
from tests.integration.admin_api.people.office import PASSWORD, Office, OpenOffice, do
from web.problems import Problem

EMAIL = "new@example.org"


def accept(office: Office, token: str) -> SignedIn:
    return accept_invitation(
        office.services, office.studio_id, token, PASSWORD, Newcomer("Boris", "en"),
        remote_address="192.0.2.1", correlation_id="x" * 8, kind="token",
    )  # fmt: skip


def refusal(office: Office, token: str) -> str:
    with pytest.raises(Problem) as refused:
        accept(office, token)
    return refused.value.code


def test_who_is_invited_becomes_a_member_with_that_role(office: Office) -> None:
    done = do(office.desk(office.hire()), "invite_staff", email="New@Example.org", role="manager")
    assert done.secret is not None
    assert done.subject_id is not None
    invited = find_invitation(office.services, office.studio_id, done.secret)
    assert invited is not None
    assert (invited.email, invited.role) == (EMAIL, "manager")
    desk = office.find_desk(accept(office, done.secret).token)
    assert desk is not None
    assert desk.person.id == member_id_of(done.subject_id)
    assert (desk.person.email, desk.person.role, desk.person.locale) == (EMAIL, "manager", "en")
    assert find_invitation(office.services, office.studio_id, done.secret) is None
    assert refusal(office, done.secret) == "invitation_closed"


def test_the_api_shows_and_accepts_an_invitation(door: Client, office: Office) -> None:
    secret = do(office.desk(office.hire()), "invite_staff", email=EMAIL, role="support").secret
    host = {"Host": office.host}
    shown = door.post("/admin/api/v1/invitation", json={"token": secret}, headers=host)
    assert shown.json() == {"email": EMAIL, "role": "support"}
    body = {"token": secret, "name": "Boris", "password": PASSWORD}
    accepted = door.post("/admin/api/v1/invitation/accept", json=body, headers=host)
    assert accepted.status_code == 201, accepted.text
    again = door.post("/admin/api/v1/invitation/accept", json=body, headers=host)
    assert (again.status_code, again.json()["code"]) == (409, "invitation_closed")
    signed_in = door.post("/admin/api/v1/sign-in", json={"email": EMAIL, "password": PASSWORD}, headers=host)
    assert signed_in.status_code == 200


def test_of_many_who_accept_at_once_one_does(office: Office) -> None:
    secret = do(office.desk(office.hire()), "invite_staff", email=EMAIL, role="ops").secret
    assert secret is not None

    def try_one(_number: int) -> str:
        try:
            return "in" if accept(office, secret) else ""
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(6) as crowd:
        outcomes = list(crowd.map(try_one, range(6)))
    assert outcomes.count("in") == 1
    assert set(outcomes) <= {"in", "invitation_closed", "unavailable"}
    assert (
        len(
            office.ask(
                "SELECT 1 FROM staff_member WHERE email = :e AND studio_id = :s", e=EMAIL, s=office.studio_id
            )
        )
        == 1
    )
    assert [action for action, _ in office.audited()].count("accept_invitation") == 1


def test_an_invitation_is_worth_nothing_late_revoked_or_elsewhere(
    office: Office, open_one: OpenOffice
) -> None:
    desk = office.desk(office.hire())
    late = do(desk, "invite_staff", email="late@example.org", role="ops")
    revoked = do(desk, "invite_staff", email="revoked@example.org", role="ops")
    assert late.secret is not None
    assert revoked.secret is not None
    do(desk, "revoke_invitation", revoked.subject_id)
    assert refusal(office, revoked.secret) == "invitation_closed"
    assert refusal(open_one(), late.secret) == "not_found"
    assert refusal(office, "x" * 43) == "not_found"
    office.clock.turn(INVITATION_LIFETIME)
    assert refusal(office, late.secret) == "invitation_closed"


def test_a_newer_invitation_closes_the_older_one(office: Office) -> None:
    desk = office.desk(office.hire())
    older = do(desk, "invite_staff", email=EMAIL, role="owner").secret
    newer = do(desk, "invite_staff", email=EMAIL, role="ops").secret
    assert older is not None
    assert newer is not None
    assert refusal(office, older) == "invitation_closed"
    accept(office, newer)


def test_the_same_request_makes_one_invitation_and_shows_the_same_secret(office: Office) -> None:
    desk = office.desk(office.hire())
    first = do(desk, "invite_staff", None, "key", email=EMAIL, role="ops")
    again = do(desk, "invite_staff", None, "key", email=EMAIL, role="ops")
    assert (first.subject_id, first.secret) == (again.subject_id, again.secret)
    assert [action for action, _ in office.audited()].count("invite_staff") == 1
    with pytest.raises(Refused, match="idempotency_key_reused"):
        do(desk, "invite_staff", None, "key", email=EMAIL, role="owner")


@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_who_does_not_own_the_studio_invites_nobody(office: Office, role: str) -> None:
    with pytest.raises(Problem) as refused:
        do(office.desk(office.hire(role)), "invite_staff", email=EMAIL, role="support")
    assert refused.value.code == "forbidden"


def test_a_studio_makes_no_admin_of_the_platform(office: Office) -> None:
    desk = office.desk(office.hire())
    with pytest.raises(ValidationError):
        do(desk, "invite_staff", email=EMAIL, role="platform_admin")
    with pytest.raises(Problem) as refused:
        do(desk, "invite_platform_admin", email=EMAIL)
    assert refused.value.code == "forbidden"
    done = do(office.desk(office.hire("platform_admin")), "invite_platform_admin", email=EMAIL)
    invited = find_invitation(office.services, office.studio_id, done.secret or "")
    assert invited is not None
    assert invited.role == "platform_admin"
    assert "platform_admin" not in STUDIO_ROLES


def test_somebody_on_the_staff_is_not_invited_again(office: Office) -> None:
    owner, gone = office.hire(), office.hire("support")
    desk = office.desk(owner)
    do(desk, "deactivate_staff", gone.id)
    for email in (owner.email, gone.email.upper()):
        with pytest.raises(Problem) as refused:
            do(desk, "invite_staff", email=email, role="owner")
        assert refused.value.code == "email_taken"


def test_an_invitation_of_who_was_sent_away_opens_nothing(office: Office) -> None:
    leaving = office.hire()
    sent_before = office.desk(leaving)
    secret = do(sent_before, "invite_staff", email=EMAIL, role="owner").secret
    do(office.desk(office.hire()), "deactivate_staff", leaving.id)
    assert refusal(office, secret or "") == "invitation_closed"
    with pytest.raises(Problem) as refused:
        do(sent_before, "invite_staff", email="other@example.org", role="owner")
    assert refused.value.code == "unauthenticated"


def test_open_invitations_are_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "OPEN_INVITATIONS_MAX", 2)
    desk = office.desk(office.hire())
    for number in range(2):
        do(desk, "invite_staff", email=f"{number}@example.org", role="ops")
    with pytest.raises(Problem) as refused:
        do(desk, "invite_staff", email=EMAIL, role="ops")
    assert refused.value.code == "too_many_invitations"
    office.clock.turn(INVITATION_LIFETIME + timedelta(seconds=1))
    do(office.desk(office.hire()), "invite_staff", email=EMAIL, role="ops")
