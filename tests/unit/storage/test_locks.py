"""Keys of advisory locks."""

from uuid import UUID

from storage.locks import advisory_key


def test_an_advisory_key_is_a_signed_64_bit_number() -> None:
    assert advisory_key(UUID(int=2**64 - 1)) == -1
    assert advisory_key(UUID(int=5)) == 5
