"""Sealed secrets."""

import pytest

from storage.sealing import SealingKeyWrong, new_sealing_key, seal, unseal


def test_sealed_secret_opens_with_its_key() -> None:
    key = new_sealing_key()
    assert unseal(key, seal(key, "секрет")) == "секрет"


def test_sealed_bytes_show_nothing_and_differ_each_time() -> None:
    key = new_sealing_key()
    assert b"secret" not in seal(key, "secret")
    assert seal(key, "secret") != seal(key, "secret")


def test_another_key_or_changed_bytes_are_refused() -> None:
    key = new_sealing_key()
    sealed = seal(key, "secret")
    with pytest.raises(SealingKeyWrong):
        unseal(new_sealing_key(), sealed)
    with pytest.raises(SealingKeyWrong):
        unseal(key, sealed[:-4] + b"AAAA")


def test_malformed_key_is_told_without_its_value() -> None:
    with pytest.raises(SealingKeyWrong, match="SEALING_KEY must be") as told:
        seal("my-short-password", "secret")
    assert "my-short-password" not in str(told.value)
