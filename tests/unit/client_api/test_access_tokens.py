"""Access tokens that were read before: remembered, but neither for ever nor for somebody else."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr

from client_api.tokens import ACCESS_LIFETIME, AccessToken, make_access_token, read_access_token
from kit.ids import new_id

KEY = SecretStr("a key of at least thirty-two bytes, all of it known")
STUDIO, CUSTOMER, FAMILY = new_id(), new_id(), new_id()


def make_token(seconds_left: float, studio_id: UUID = STUDIO) -> str:
    issued_at = datetime.now(UTC) - ACCESS_LIFETIME + timedelta(seconds=seconds_left)
    return make_access_token(KEY, studio_id, CUSTOMER, FAMILY, issued_at)


def test_a_token_that_was_good_is_none_after_its_end() -> None:
    token = make_token(seconds_left=2)
    assert read_access_token(KEY, token, STUDIO) == AccessToken(CUSTOMER, FAMILY)
    time.sleep(2)
    assert read_access_token(KEY, token, STUDIO) is None


def test_a_token_that_was_good_is_none_at_another_studio_and_under_another_key() -> None:
    token = make_token(seconds_left=60)
    assert read_access_token(KEY, token, STUDIO) is not None
    assert read_access_token(KEY, token, new_id()) is None
    assert read_access_token(SecretStr(KEY.get_secret_value() + "!"), token, STUDIO) is None


def test_a_token_with_another_signature_is_none_however_well_known_the_rest_is() -> None:
    token = make_token(seconds_left=60)
    assert read_access_token(KEY, token, STUDIO) is not None
    said, _, signature = token.rpartition(".")
    assert read_access_token(KEY, f"{said}.{signature[::-1]}", STUDIO) is None
