"""Roles, leaving and coming back, passwords; and that a studio always has an owner."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from admin_api.actions.action import Effect
from admin_api.desk import Desk
from admin_api.people.invitations import find_invitation
from kit.ids import new_id
from tests.integration.admin_api.people.office import NAMED, PASSWORD, Office, OpenOffice, do
from web.problems import Problem


def refusal(desk: Desk, action: str, subject_id: UUID | None = None, /, **body: object) -> str:
    with pytest.raises(Problem) as refused:
        do(desk, action, subject_id, **body)
    return refused.value.code


def foreseen(desk: Desk, name: str, subject_id: UUID, /, **body: object) -> Effect:
    action = NAMED[name]
    assert action.preview is not None
    return action.preview(desk, subject_id, action.body.model_validate(body))


def test_who_is_sent_away_is_out_everywhere_at_once_and_comes_back_with_nothing(office: Office) -> None:
    owner, member = office.desk(office.hire()), office.hire("manager")
    browser, token = office.desk(member, "browser"), office.desk(member)
    effect = foreseen(owner, "deactivate_staff", member.id)
    assert (effect.lines[0].code, effect.lines[0].facts, effect.refusal) == (
        "sign_ins_end",
        {"count": 2},
        None,
    )
    do(owner, "deactivate_staff", member.id)
    assert not office.is_alive(browser)
    assert not office.is_alive(token)
    do(owner, "reactivate_staff", member.id)
    assert not office.is_alive(browser)
    assert office.desk(member).person.role == "manager"


def test_deactivating_twice_is_done_once(office: Office) -> None:
    owner, member = office.desk(office.hire()), office.hire("support")
    do(owner, "deactivate_staff", member.id)
    do(owner, "deactivate_staff", member.id)
    assert office.audited().count(("deactivate_staff", member.id)) == 1


def test_nobody_changes_their_own_role_or_access(office: Office) -> None:
    member = office.hire()
    owner = office.desk(member)
    office.hire()
    assert refusal(owner, "change_staff", member.id, name="Anna", role="support") == "own_account"
    assert refusal(owner, "deactivate_staff", member.id) == "own_account"
    assert foreseen(owner, "deactivate_staff", member.id).refusal == {"code": "own_account"}
    do(owner, "change_staff", member.id, name="Anna the Second", role="owner")


def test_the_last_owner_stays(office: Office) -> None:
    member = office.hire()
    owner = office.desk(member)
    assert refusal(owner, "deactivate_staff", member.id) == "last_owner"
    assert refusal(owner, "change_staff", member.id, name="Anna", role="manager") == "last_owner"
    assert foreseen(owner, "deactivate_staff", member.id).refusal == {"code": "last_owner"}


@pytest.mark.parametrize("action", ["deactivate_staff", "change_staff"])
def test_of_owners_who_remove_each_other_at_the_same_moment_one_remains(office: Office, action: str) -> None:
    members = [office.hire() for _ in range(3)]
    desks = [office.desk(member) for member in members]
    body = {"name": "Anna", "role": "ops"} if action == "change_staff" else {}
    start = threading.Barrier(6)

    def remove(pair: tuple[int, int]) -> str:
        start.wait(timeout=10)
        try:
            do(desks[pair[0]], action, members[pair[1]].id, **body)
        except Problem as problem:
            return problem.code
        return "done"

    pairs = [(actor, target) for actor in range(3) for target in range(3) if actor != target]
    with ThreadPoolExecutor(6) as crowd:
        outcomes = list(crowd.map(remove, pairs))
    left = office.ask(
        "SELECT id FROM staff_member WHERE studio_id = :s AND role = 'owner' AND deactivated_at IS NULL",
        s=office.studio_id,
    )
    assert len(left) == 1
    assert outcomes.count("done") >= 2


def test_who_was_an_owner_when_the_request_came_and_is_none_now_changes_nobody(office: Office) -> None:
    first, second, member = office.hire(), office.hire(), office.hire("support")
    came_before = office.desk(second)
    do(office.desk(first), "change_staff", second.id, name="Anna", role="ops")
    for action, body in (("deactivate_staff", {}), ("change_staff", {"name": "x", "role": "owner"})):
        assert refusal(came_before, action, member.id, **body) == "unauthenticated"


def test_who_loses_the_right_to_invite_takes_the_open_invitations_along(office: Office) -> None:
    first, second = office.desk(office.hire()), office.hire()
    secret = do(office.desk(second), "invite_staff", email="new@example.org", role="owner").secret
    kept = do(first, "invite_staff", email="kept@example.org", role="ops").secret
    do(first, "change_staff", second.id, name="Anna", role="manager")
    assert find_invitation(office.services, office.studio_id, secret or "") is None
    assert find_invitation(office.services, office.studio_id, kept or "") is not None


def test_a_platforms_admin_is_not_the_studios_to_change(office: Office) -> None:
    owner, admin = office.desk(office.hire()), office.hire("platform_admin")
    assert refusal(owner, "deactivate_staff", admin.id) == "forbidden"
    assert refusal(owner, "change_staff", admin.id, name="Anna", role="support") == "forbidden"
    with owner.transaction() as connection:
        assert not NAMED["deactivate_staff"].is_open(connection, admin.id)


def test_members_of_another_studio_do_not_exist(office: Office, open_one: OpenOffice) -> None:
    owner, stranger = office.desk(office.hire()), open_one().hire("support")
    for member_id in (stranger.id, new_id()):
        assert refusal(owner, "deactivate_staff", member_id) == "not_found"
        assert refusal(owner, "change_staff", member_id, name="x", role="ops") == "not_found"


@pytest.mark.parametrize("role", ["manager", "support", "ops", "platform_admin"])
def test_only_owners_change_the_staff(office: Office, role: str) -> None:
    desk, member = office.desk(office.hire(role)), office.hire("support")
    for name in ("deactivate_staff", "reactivate_staff"):
        assert refusal(desk, name, member.id) == "forbidden"
    assert refusal(desk, "change_staff", member.id, name="x", role="owner") == "forbidden"


def test_a_new_password_ends_the_other_sign_ins_and_the_old_password(office: Office) -> None:
    member = office.hire("support")
    here, elsewhere, token = (
        office.desk(member, "browser"),
        office.desk(member, "browser"),
        office.desk(member),
    )
    do(here, "change_password", old_password=PASSWORD, new_password="another good one")
    assert office.is_alive(here)
    assert not office.is_alive(elsewhere)
    assert not office.is_alive(token)
    assert (
        refusal(here, "change_password", old_password=PASSWORD, new_password="a third one")
        == "wrong_credentials"
    )
    do(here, "change_password", old_password="another good one", new_password=PASSWORD)


def test_a_stolen_sign_in_cannot_guess_the_password_for_long(office: Office) -> None:
    desk = office.desk(office.hire())
    codes = [
        refusal(desk, "change_password", old_password=f"guess {n}", new_password="another good one")
        for n in range(6)
    ]
    assert codes == ["wrong_credentials"] * 5 + ["too_many_tries"]


def test_what_is_done_to_people_is_audited_with_before_and_after_and_no_names(office: Office) -> None:
    owner, member = office.desk(office.hire()), office.hire("support")
    do(owner, "change_staff", member.id, name="Vera Vasilieva", role="ops")
    do(office.desk(member), "set_language", locale="en")
    rows = office.ask(
        "SELECT action, principal, before, after, audit::text FROM audit "
        "WHERE studio_id = :s AND action IN ('change_staff', 'set_language') ORDER BY id",
        s=office.studio_id,
    )
    assert [row[:4] for row in rows] == [
        ("change_staff", owner.principal, {"role": "support"}, {"role": "ops"}),
        ("set_language", f"staff:{member.id}", {"locale": "ru"}, {"locale": "en"}),
    ]
    assert "Vasilieva" not in str(rows)
