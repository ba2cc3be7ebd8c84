"""Guessing passwords: what is counted, what is not, and that nobody is locked out for ever."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from httpx import Client, HTTPTransport

from tests.integration.admin_api.people.office import PASSWORD, PASSWORD_HASH, Office, OpenOffice
from web import throttle
from web.problems import Problem
from web.throttle import FAILURES_MAX, WINDOW, Trier, prove

SOMEBODY = "anna@example.org"


def attempt(
    office: Office,
    password: str,
    email: str = SOMEBODY,
    address: str | None = "192.0.2.1",
    realm: Any = "staff",
) -> str:
    """right, wrong, or the code of the refusal."""
    trier = Trier(office.studio_id, realm, email, address)
    try:
        is_right = prove(office.services.engine, trier, password, PASSWORD_HASH, office.clock())
    except Problem as problem:
        return problem.code
    return "right" if is_right else "wrong"


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached soon: hashing takes its time."""
    monkeypatch.setattr(throttle, "FAILURES_MAX", {"address": 6, "both": 2, "email": 4})


def test_the_sixth_try_from_one_place_is_not_looked_at_even_with_the_right_password(office: Office) -> None:
    assert [attempt(office, "no") for _ in range(FAILURES_MAX["both"])] == ["wrong"] * 5
    assert attempt(office, PASSWORD) == "too_many_tries"
    assert attempt(office, PASSWORD, address="192.0.2.2") == "right"
    assert attempt(office, PASSWORD, "boris@example.org") == "right"


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("email", ["ANNA@example.org", " anna@example.org", "Anna@Example.Org\t"])
def test_case_and_spaces_make_no_other_person(office: Office, email: str) -> None:
    attempt(office, "no")
    attempt(office, "no", email)
    assert attempt(office, PASSWORD) == "too_many_tries"


@pytest.mark.usefixtures("tight")
def test_a_right_password_is_no_try(office: Office) -> None:
    assert [attempt(office, PASSWORD) for _ in range(8)] == ["right"] * 8
    attempt(office, "no")
    assert attempt(office, PASSWORD) == "right"


@pytest.mark.usefixtures("tight")
def test_the_window_ends_when_it_was_said_to_whatever_is_tried_meanwhile(office: Office) -> None:
    trier = Trier(office.studio_id, "staff", SOMEBODY, "192.0.2.1")
    attempt(office, "no")
    attempt(office, "no")
    office.clock.turn(WINDOW - timedelta(minutes=1))
    assert [attempt(office, "no") for _ in range(5)] == ["too_many_tries"] * 5
    with pytest.raises(Problem) as refused:
        prove(office.services.engine, trier, PASSWORD, PASSWORD_HASH, office.clock())
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "60")
    office.clock.turn(timedelta(minutes=1))
    assert attempt(office, PASSWORD) == "right"


@pytest.mark.usefixtures("tight")
def test_many_addresses_together_guess_no_more_and_do_not_lock_the_person_out(office: Office) -> None:
    assert attempt(office, PASSWORD, address="198.51.100.1") == "right"
    assert [attempt(office, "no", address=f"192.0.2.{n}") for n in range(4)] == ["wrong"] * 4
    assert attempt(office, PASSWORD, address="192.0.2.9") == "too_many_tries"
    assert attempt(office, PASSWORD, address="198.51.100.1") == "right"


@pytest.mark.usefixtures("tight")
def test_a_known_place_is_no_leave_to_guess(office: Office) -> None:
    attempt(office, PASSWORD)
    assert [attempt(office, "no") for _ in range(4)] == ["wrong"] * 2 + ["too_many_tries"] * 2


@pytest.mark.usefixtures("tight")
def test_one_address_guesses_at_few_people_only(office: Office) -> None:
    tries = [attempt(office, "no", f"{n}@example.org") for n in range(8)]
    assert tries == ["wrong"] * 6 + ["too_many_tries"] * 2


@pytest.mark.usefixtures("tight")
def test_an_ipv6_network_is_one_address(office: Office) -> None:
    attempt(office, "no", address="2001:db8::1")
    attempt(office, "no", address="2001:db8::ffff:2")
    assert attempt(office, PASSWORD, address="2001:db8::3") == "too_many_tries"
    assert attempt(office, PASSWORD, address="2001:db8:0:1::3") == "right"


@pytest.mark.usefixtures("tight")
def test_customers_and_staff_and_studios_are_counted_apart(office: Office, open_one: OpenOffice) -> None:
    attempt(office, "no", realm="customer")
    attempt(office, "no", realm="customer")
    assert attempt(office, PASSWORD, realm="customer") == "too_many_tries"
    assert attempt(office, PASSWORD) == "right"
    assert attempt(open_one(), PASSWORD, realm="customer") == "right"


def test_many_at_once_are_no_more_tries_than_one_after_another(office: Office) -> None:
    with ThreadPoolExecutor(12) as crowd:
        tries = list(crowd.map(lambda _: attempt(office, "no"), range(12)))
    assert tries.count("wrong") <= FAILURES_MAX["both"]
    assert set(tries) <= {"wrong", "too_many_tries", "unavailable"}
    assert "too_many_tries" in tries


@pytest.mark.usefixtures("tight")
def test_tries_that_are_refused_write_nothing(office: Office) -> None:
    for _ in range(6):
        attempt(office, "no", f"{secrets.token_hex(4)}@example.org")
    before = _rows(office)
    for _ in range(20):
        attempt(office, "no", f"{secrets.token_hex(4)}@example.org")
    assert _rows(office) == before


@pytest.mark.usefixtures("tight")
def test_rows_are_used_again_and_hold_no_name(office: Office) -> None:
    attempt(office, "no")
    before = _rows(office)
    office.clock.turn(WINDOW)
    attempt(office, "no")
    assert [row[0] for row in _rows(office)] == [row[0] for row in before]
    lengths = {bytes(row[0]).rpartition(b":")[2] for row in before}  # type: ignore[call-overload]
    assert all(len(bucket) <= throttle.BUCKET_BYTES for bucket in lengths)


def test_an_address_that_a_stranger_writes_into_a_header_is_not_believed(
    door: Client, office: Office
) -> None:
    """Asked from another address than the one at which a test server may take a proxy to be."""
    member = office.hire()
    body = {"email": member.email, "password": "wrong"}
    with Client(base_url=door.base_url, transport=HTTPTransport(local_address="127.0.0.2")) as stranger:
        statuses = [
            stranger.post(
                "/admin/api/v1/sign-in",
                json=body,
                headers={"Host": office.host, "X-Forwarded-For": f"192.0.2.{n}"},
            ).status_code
            for n in range(FAILURES_MAX["both"] + 1)
        ]
    assert statuses == [401] * 5 + [429]


def _rows(office: Office) -> list[tuple[object, ...]]:
    return office.ask(
        "SELECT subject_hash, failures FROM sign_in_failure WHERE studio_id = :id ORDER BY 1",
        id=office.studio_id,
    )
