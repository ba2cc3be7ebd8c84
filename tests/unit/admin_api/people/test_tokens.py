"""Tokens and cookies: what they are made of, and what never shows."""

from datetime import UTC, datetime

import pytest
from fastapi import Response
from pydantic import SecretStr

from admin_api.people.cookies import cookie_name, forget_cookie, set_cookie
from admin_api.people.tokens import Issued, SignedIn, new_token, secret_of, token_hash
from admin_api.permissions import ROLES
from kit.ids import new_id
from runtime.settings import AdminSettings
from storage.staff import STAFF_ROLES

KEY = SecretStr("k" * 32)
SIGNED_IN = SignedIn("the-token", datetime(2026, 11, 21, tzinfo=UTC))


def make_settings(*, secure_cookies: bool) -> AdminSettings:
    return AdminSettings(
        database_url=SecretStr("postgresql://unused"), sealing_key=SecretStr("A" * 43 + "="), form_key=KEY,
        secure_cookies=secure_cookies,
    )  # fmt: skip


def test_the_secret_of_a_row_is_always_the_same_and_nobody_elses() -> None:
    row_id = new_id()
    secret = secret_of(KEY, "invitation", row_id)
    assert secret == secret_of(KEY, "invitation", row_id)
    others = {
        secret_of(KEY, "token", row_id),
        secret_of(KEY, "invitation", new_id()),
        secret_of(SecretStr("j" * 32), "invitation", row_id),
        new_token(),
        new_token(),
    }
    assert len(others | {secret}) == 6
    assert len(token_hash(secret)) == 32


def test_no_secret_shows_in_a_log() -> None:
    assert "the-token" not in repr(SIGNED_IN)
    assert "the-token" not in repr(Issued(new_id(), "the-token"))


@pytest.mark.parametrize("secure_cookies", [True, False])
def test_the_cookie_is_for_this_host_and_no_script_and_no_other_site(secure_cookies: bool) -> None:
    settings, response = make_settings(secure_cookies=secure_cookies), Response()
    set_cookie(response, settings, SIGNED_IN)
    parts = response.headers["set-cookie"].split("; ")
    assert parts[0] == f"{cookie_name(settings)}=the-token"
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Max-Age=43200"} <= set(parts)
    assert ("Secure" in parts) is secure_cookies
    assert cookie_name(settings).startswith("__Host-") is secure_cookies
    assert not any(part.startswith("Domain") for part in parts)


def test_a_forgotten_cookie_is_the_one_that_was_set() -> None:
    settings, response = make_settings(secure_cookies=True), Response()
    forget_cookie(response, settings)
    forgotten = response.headers["set-cookie"]
    assert forgotten.startswith(f'{cookie_name(settings)}="";')
    assert "Max-Age=0" in forgotten
    assert "Secure" in forgotten


def test_the_command_line_and_the_admin_know_the_same_roles() -> None:
    assert STAFF_ROLES == ROLES
