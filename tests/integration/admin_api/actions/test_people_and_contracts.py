"""Customers entered by staff, notes, and contracts with providers: direct writes, each once."""

import pytest
from pydantic import ValidationError

from storage.sealing import unseal
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.state_updater.shops import SEALING_KEY
from web.problems import Problem

ACCOUNT = {
    "public_id": "pk_1",
    "secret": "s3cret of the cabinet",
    "api_url": "https://api.provider.example",
    "widget_script_url": "https://widget.provider.example/w.js",
    "is_test": True,
}


def test_customer_is_entered_without_a_password_and_the_audit_keeps_no_name(support: Clerk) -> None:
    person = {"name": " Анна ", "email": " Anna@Example.org "}
    done = support.press("create_customer", key="once", **person)
    assert support.press("create_customer", key="once", **person) == done
    found = support.shop.rows(
        "SELECT email, name, locale, password_hash FROM customer WHERE id = :id", id=done.subject_id
    )
    assert found == [("anna@example.org", "Анна", "ru", None)]
    ((audit,),) = support.shop.rows(
        "SELECT CAST(a AS text) FROM audit a WHERE subject_id = :id", id=done.subject_id
    )
    assert "example.org" not in audit
    assert "Анна" not in audit


def test_email_that_is_registered_is_taken(support: Clerk) -> None:
    support.press("create_customer", name="Anna", email="anna@example.org")
    with pytest.raises(Problem) as taken:
        support.press("create_customer", name="Anna", email="ANNA@example.org")
    assert (taken.value.status, taken.value.code) == (409, "email_taken")


def test_note_is_written_once_by_its_author(support: Clerk, stranger: Clerk) -> None:
    customer_id = support.shop.customer_id
    for _ in range(2):
        support.press("add_note", customer_id, key="once", text="<script>alert(1)</script>")
    assert support.shop.rows("SELECT body, staff_member_id FROM customer_note WHERE studio_id = :studio") == [
        ("<script>alert(1)</script>", support.desk.person.id)
    ]
    with pytest.raises(Problem) as absent:
        stranger.press("add_note", customer_id, text="Чужой")
    assert absent.value.status == 404


def test_secret_of_a_contract_is_sealed_and_stands_nowhere_else(owner: Clerk) -> None:
    account_id = owner.press("create_provider_account", **ACCOUNT).subject_id
    sealed = owner.shop.one("SELECT sealed_secret FROM provider_account WHERE id = :id", id=account_id)
    assert unseal(SEALING_KEY, bytes(sealed)) == ACCOUNT["secret"]
    owner.press("change_provider_account", account_id, secret="another", is_active=False)
    ((sealed, is_active, api_url),) = owner.shop.rows(
        "SELECT sealed_secret, is_active, api_url FROM provider_account WHERE id = :id", id=account_id
    )
    assert (unseal(SEALING_KEY, bytes(sealed)), is_active, api_url) == ("another", False, ACCOUNT["api_url"])
    for (audit,) in owner.shop.rows(
        "SELECT CAST(a AS text) FROM audit a WHERE subject_id = :id", id=account_id
    ):
        assert "s3cret" not in audit
        assert "another" not in audit


def test_secret_is_not_carried_to_another_address(owner: Clerk) -> None:
    """Who may change the address may not read the secret, and must not get it sent to themselves."""
    elsewhere = "https://elsewhere.example.org"
    account_id = owner.press("create_provider_account", **ACCOUNT).subject_id
    with pytest.raises(Problem) as missing:
        owner.press("change_provider_account", account_id, api_url=elsewhere)
    assert (missing.value.status, missing.value.code) == (409, "secret_required")
    owner.press("change_provider_account", account_id, api_url=elsewhere, secret="another")
    kept = owner.shop.one("SELECT api_url FROM provider_account WHERE id = :id", id=account_id)
    assert kept == elsewhere


def test_the_same_contract_twice_is_refused(owner: Clerk) -> None:
    owner.press("create_provider_account", **ACCOUNT)
    with pytest.raises(Problem) as exists:
        owner.press("create_provider_account", **ACCOUNT)
    assert (exists.value.status, exists.value.code) == (409, "provider_account_exists")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://provider.example",
        "//provider.example",
        "/relative",
        "javascript:alert(1)",
        "https://",
        "https://me:password@provider.example",
        "https://provider.example/#part",
        "https://" + "a" * 2_000,
        "https://пример.рф",
    ],
)
def test_address_that_is_no_plain_web_address_is_not_understood(owner: Clerk, url: str) -> None:
    with pytest.raises(ValidationError):
        owner.press("create_provider_account", **ACCOUNT | {"api_url": url})


def test_contract_of_another_studio_is_not_there(owner: Clerk, stranger: Clerk) -> None:
    with pytest.raises(Problem) as absent:
        stranger.press("change_provider_account", owner.shop.account_id, is_active=False)
    assert absent.value.status == 404
    assert owner.shop.one("SELECT is_active FROM provider_account WHERE id = :id", id=owner.shop.account_id)
