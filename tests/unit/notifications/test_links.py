"""A link works for one customer and one thing, until its time is over; no letter of it can be changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from notifications.links import Link, LinkExpired, LinkInvalid, read_link, sign_link

KEY = "k" * 32
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LINK = Link("pay", UUID(int=1), UUID(int=2), UUID(int=3), NOW + timedelta(days=7))


@pytest.mark.parametrize("purpose", ["pay", "cancel"])
def test_what_was_signed_is_read(purpose: Any) -> None:
    link = replace(LINK, purpose=purpose)
    assert read_link(KEY, sign_link(KEY, link, NOW), NOW) == link


def test_a_link_ends_at_its_time() -> None:
    token = sign_link(KEY, LINK, NOW)
    read_link(KEY, token, LINK.expires_at - timedelta(seconds=1))
    with pytest.raises(LinkExpired):
        read_link(KEY, token, LINK.expires_at)


def test_no_letter_of_a_token_can_be_changed() -> None:
    token = sign_link(KEY, LINK, NOW)
    head, body, signature = token.split(".")
    for changed in (
        f"{head}.{body[:-2]}AA.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        token[:-1],
        "",
        "..",
        "x" * 2_000,
        token + "\u0430",
    ):
        with pytest.raises(LinkInvalid):
            read_link(KEY, changed, NOW)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(LinkInvalid):
        read_link("x" * 32, sign_link(KEY, LINK, NOW), NOW)


CLAIMS = {
    "iss": "billbus", "typ": "link", "aud": f"studio:{UUID(int=1)}", "sub": str(UUID(int=2)), "pur": "pay",
    "obj": str(UUID(int=3)), "iat": NOW, "exp": NOW + timedelta(days=7),
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "access"},
        {"iss": "other"},
        {"pur": "refund"},
        {"pur": ["pay"]},
        {"aud": str(UUID(int=1))},
        {"aud": ["studio:x"]},
        {"sub": "x"},
        {"obj": 7},
        {"exp": 10**30},
    ],
)
def test_other_tokens_of_the_same_key_are_no_links(changes: dict[str, Any]) -> None:
    read_link(KEY, jwt.encode(CLAIMS, KEY, algorithm="HS256"), NOW)
    with pytest.raises(LinkInvalid):
        read_link(KEY, jwt.encode({**CLAIMS, **changes}, KEY, algorithm="HS256"), NOW)


def test_an_unsigned_token_is_no_link() -> None:
    with pytest.raises(LinkInvalid):
        read_link(KEY, jwt.encode(CLAIMS, "", algorithm="none"), NOW)
