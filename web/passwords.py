"""Passwords: hashed with Argon2id, few at a time."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from web.problems import unavailable

# One hash takes 64 MiB: forty threads at once would take the machine. Waiting takes a thread too, of those
# that all requests share: who would make the queue longer is sent away at once.
HASHES_AT_ONCE: Final = 2
HASHES_WAITING: Final = 8
HASH_QUEUE_SECONDS: Final = 5

_hasher = PasswordHash((Argon2Hasher(),))
_hash_places = threading.BoundedSemaphore(HASHES_AT_ONCE)
_hash_queue = threading.BoundedSemaphore(HASHES_AT_ONCE + HASHES_WAITING)
_unknown_person_hash = _hasher.hash(secrets.token_urlsafe())


@contextmanager
def _hashing() -> Iterator[None]:
    if not _hash_queue.acquire(blocking=False):
        raise unavailable()
    try:
        if not _hash_places.acquire(timeout=HASH_QUEUE_SECONDS):
            raise unavailable()
        try:
            yield
        finally:
            _hash_places.release()
    finally:
        _hash_queue.release()


def hash_password(password: str) -> str:
    """Raises Problem 503 when too many are being hashed."""
    with _hashing():
        return _hasher.hash(password)


def password_matches(password: str, password_hash: str | None) -> bool:
    """None (nobody, or nobody with a password) takes as long as a wrong password. Raises Problem 503."""
    with _hashing():
        matches = _hasher.verify(password, password_hash or _unknown_person_hash)
    return matches and password_hash is not None
