"""`billbus staff`, on a real database: the first owner comes in, and everybody the operator names."""

import pytest
from typer.testing import CliRunner, Result

from admin_api.people.invitations import Newcomer, accept_invitation
from cli.main import app
from storage.staff import StaffRow
from tests.integration.admin_api.people.office import PASSWORD, Office


@pytest.fixture
def run(office: Office, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.setenv("DATABASE_URL", office.database_url)
    monkeypatch.setenv("BILLBUS_PASSWORD", PASSWORD)
    return Run(office.host)


class Run:
    """A command of `billbus staff` at one host."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __call__(self, command: str, **options: str) -> Result:
        words = ["staff", command, "--host", options.pop("host", self._host)]
        for name, value in options.items():
            words += [f"--{name}", value]
        return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


def test_an_invitation_from_the_command_line_is_accepted(office: Office, run: Run) -> None:
    done = run("invite", email="Root@example.org", role="platform_admin")
    assert done.exit_code == 0, done.output
    path, _, token = done.output.strip().partition("#")
    assert path == "/admin/invitation"
    signed_in = accept_invitation(
        office.services, office.studio_id, token, PASSWORD, Newcomer("Root", "en"),
        remote_address=None, correlation_id="x" * 8, kind="token",
    )  # fmt: skip
    desk = office.find_desk(signed_in.token)
    assert desk is not None
    assert (desk.person.email, desk.person.role) == ("root@example.org", "platform_admin")


def test_creating_a_member_twice_changes_nothing_and_ends_no_sign_in(office: Office, run: Run) -> None:
    wanted = {"email": "owner@example.org", "role": "owner", "name": "Anna"}
    first = run("create", **wanted)
    assert first.exit_code == 0, first.output
    desk = office.desk(_member(office, first.output.strip()))
    again = run("create", **wanted)
    assert again.output == first.output
    assert office.is_alive(desk)
    assert [action for action, _ in office.audited()] == ["create_staff", "sign_in"]


def test_another_password_ends_what_the_old_one_opened(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"email": "owner@example.org", "role": "owner", "name": "Anna"}
    member_id = run("create", **wanted).output.strip()
    desk = office.desk(_member(office, member_id))
    monkeypatch.setenv("BILLBUS_PASSWORD", "another good one")
    assert run("create", **wanted).output.strip() == member_id
    assert not office.is_alive(desk)


def test_who_was_sent_away_is_let_back_in_by_creating_them(office: Office, run: Run) -> None:
    wanted = {"email": "ops@example.org", "role": "ops", "name": "Boris"}
    member_id = run("create", **wanted).output.strip()
    desk = office.desk(_member(office, member_id))
    assert run("deactivate", email=wanted["email"]).exit_code == 0
    assert not office.is_alive(desk)
    assert "ops@example.org" in run("list").output
    run("create", **wanted)
    assert office.desk(_member(office, member_id)).person.role == "ops"


@pytest.mark.parametrize(
    "options",
    [
        {"email": "no", "role": "owner", "name": "Anna"},
        {"email": "a@example.org", "role": "king", "name": "Anna"},
        {"email": "a@example.org", "role": "owner", "name": "Anna", "host": "nowhere.example.org"},
    ],
    ids=str,
)
def test_what_the_operator_gets_wrong_is_told_and_does_nothing(
    office: Office, run: Run, options: dict[str, str]
) -> None:
    assert run("create", **options).exit_code == 2
    assert office.ask("SELECT 1 FROM staff_member WHERE studio_id = :s", s=office.studio_id) == []


def test_a_short_password_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUS_PASSWORD", "short")
    assert run("create", email="a@example.org", role="owner", name="Anna").exit_code == 2


def _member(office: Office, member_id: str) -> StaffRow:
    rows = office.ask(
        "SELECT id, email, name, role, locale, deactivated_at, password_hash FROM staff_member "
        "WHERE id = :id",
        id=member_id,
    )
    return StaffRow(*rows[0])  # type: ignore[arg-type]


def make_studio(host: str) -> Result:
    words = ["studio", "create", "--name", "S", "--timezone", "Europe/Moscow", "--host", host]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


@pytest.mark.usefixtures("run")
def test_a_studio_answers_at_the_name_that_browsers_send(office: Office) -> None:
    done = make_studio("Студия.рф")
    assert done.exit_code == 0, done.output
    found = office.services.hosts.find_studio("xn--d1aizef8e.xn--p1ai")
    assert str(found) == done.output.strip()
    listed = CliRunner().invoke(app, ["staff", "list", "--host", "студия.рф"], env={"COLUMNS": "200"})
    assert listed.exit_code == 0, listed.output


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "host", ["студия рф", "a.example.org:80", "https://a.example.org", "a..b", "a.b.", "_"]
)
def test_a_host_that_no_browser_sends_is_refused(host: str) -> None:
    done = make_studio(host)
    assert done.exit_code == 2
    assert "this is no host name" in done.output
