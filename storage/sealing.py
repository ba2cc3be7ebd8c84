"""Secrets of providers at rest: sealed with the installation's key, opened only where a call is made.

Called by the CLI and admin (seal) and by workers and the client API (unseal). The key is never stored.
"""

from cryptography.fernet import Fernet, InvalidToken


class SealingKeyWrong(Exception):
    """The sealing key is malformed, or is not the one that this secret was sealed with."""


def new_sealing_key() -> str:
    """A fresh random key, as SEALING_KEY takes it."""
    return Fernet.generate_key().decode()


def seal(key: str, secret: str) -> bytes:
    """Encrypts and authenticates `secret`. Sealing twice gives different bytes. Raises SealingKeyWrong."""
    return _cipher(key).encrypt(secret.encode())


def unseal(key: str, sealed: bytes) -> str:
    """The secret again. Raises SealingKeyWrong, also for bytes that were changed."""
    try:
        return _cipher(key).decrypt(sealed).decode()
    except InvalidToken as error:
        raise SealingKeyWrong("A sealed secret does not open with this SEALING_KEY.") from error


def _cipher(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        raise SealingKeyWrong("SEALING_KEY must be 32 random bytes in url-safe base64.") from error
