"""Where Hawk's token leads."""

from base64 import b64encode

import pytest

from runtime.hawk import TokenUnreadable, collector_of


def test_a_token_names_its_collector() -> None:
    token = b64encode(b'{"integrationId":"5f1c-77","secret":"s"}').decode()
    assert collector_of(token) == "https://5f1c-77.k1.hawk.so"


@pytest.mark.parametrize(
    "token",
    ["", "no base64", b64encode(b"[]").decode(), b64encode(b'{"integrationId":"evil.example/"}').decode()],
)
def test_a_token_that_names_none_is_refused(token: str) -> None:
    with pytest.raises(TokenUnreadable):
        collector_of(token)
