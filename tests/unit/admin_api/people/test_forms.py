"""Forms: which are taken back, and which are not."""

from datetime import UTC, datetime
from typing import cast

import pytest
from pydantic import SecretStr

from admin_api.desk import Desk, Person, Services
from admin_api.people.forms import FormToken, check_form, new_form
from kit.ids import new_id
from runtime.settings import AdminSettings
from web.problems import Problem

PATH = "/admin/do/void_invoice/1"


class Served:
    """Services as far as forms look at them."""

    def __init__(self, form_key: str) -> None:
        self.settings = AdminSettings(
            database_url=SecretStr("postgresql://unused"),
            sealing_key=SecretStr("A" * 43 + "="),
            form_key=SecretStr(form_key),
        )

    def clock(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)


def make_services(form_key: str = "k" * 32) -> Services:
    return cast(Services, Served(form_key))


def make_desk(services: Services) -> Desk:
    person = Person(new_id(), new_id(), new_id(), "anna@example.org", "Anna", "owner", "ru")
    return Desk(services, person, "x" * 8, None)


SERVICES = make_services()
DESK = make_desk(SERVICES)


def refuses(services: Services, desk: Desk, path: str, key: str, token: str) -> bool:
    try:
        check_form(services, desk, path, key, token)
    except Problem as problem:
        return (problem.status, problem.code) == (403, "form_expired")
    return False


def test_a_form_is_taken_back_and_taken_twice() -> None:
    form = new_form(SERVICES, DESK, PATH)
    assert not refuses(SERVICES, DESK, PATH, form.key, form.token)
    assert not refuses(SERVICES, DESK, PATH, form.key, form.token)


def test_every_form_has_a_key_of_its_own() -> None:
    assert len({new_form(SERVICES, DESK, PATH).key for _ in range(100)}) == 100


def test_a_form_of_another_sign_in_path_key_or_server_is_refused() -> None:
    form, other = new_form(SERVICES, DESK, PATH), new_form(SERVICES, DESK, PATH)
    elsewhere = make_services("j" * 32)
    assert refuses(SERVICES, make_desk(SERVICES), PATH, form.key, form.token)
    assert refuses(SERVICES, DESK, "/admin/do/void_invoice/2", form.key, form.token)
    assert refuses(SERVICES, DESK, PATH, other.key, form.token)
    assert refuses(elsewhere, DESK, PATH, form.key, form.token)


@pytest.mark.parametrize(
    "change", [("", ""), ("x" * 32, None), (None, ""), (None, "é"), (None, "\ud800"), ("\udcff", None)]
)
def test_what_is_no_form_of_ours_is_refused(change: tuple[str | None, str | None]) -> None:
    form = new_form(SERVICES, DESK, PATH)
    key = form.key if change[0] is None else change[0]
    token = form.token if change[1] is None else change[1]
    assert refuses(SERVICES, DESK, PATH, key, token)


def test_parts_cannot_be_moved_from_the_path_into_the_key() -> None:
    form = new_form(SERVICES, DESK, f"{PATH}\x1f{'a' * 32}")
    assert isinstance(form, FormToken)
    assert refuses(SERVICES, DESK, PATH, f"{'a' * 32}\x1f{form.key}", form.token)
