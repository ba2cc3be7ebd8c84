"""Access tokens and passwords: made and checked here, stored nowhere here.

An access token is a JWT (HS256, ten minutes) for one studio. A refresh token is 256 random bits of which only
the hash is stored. Passwords are Argon2id.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr

from client_api.problems import unavailable

ALGORITHM: Final = "HS256"
ISSUER: Final = "billbus"
TOKEN_TYPE: Final = "access"  # noqa: S105
ACCESS_LIFETIME: Final = timedelta(minutes=10)
REFRESH_LIFETIME: Final = timedelta(days=30)
REFRESH_BYTES: Final = 32
TOKEN_LENGTH_LIMIT: Final = 2_000
_CLAIMS: Final = ["aud", "exp", "iat", "iss", "sid", "sub", "typ"]

# One hash takes 64 MiB: forty threads at once would take the machine. Waiting takes a thread too, of those
# that all requests share: who would make the queue longer is sent away at once.
HASHES_AT_ONCE: Final = 2
HASHES_WAITING: Final = 8
HASH_QUEUE_SECONDS: Final = 5

_hasher = PasswordHash((Argon2Hasher(),))
_hash_places = threading.BoundedSemaphore(HASHES_AT_ONCE)
_hash_queue = threading.BoundedSemaphore(HASHES_AT_ONCE + HASHES_WAITING)
_unknown_person_hash = _hasher.hash(secrets.token_urlsafe())


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a valid token says."""

    customer_id: UUID
    family_id: UUID


def _audience(studio_id: UUID) -> str:
    return f"studio:{studio_id}"


def make_access_token(
    key: SecretStr, studio_id: UUID, customer_id: UUID, family_id: UUID, issued_at: datetime
) -> str:
    claims = {
        "iss": ISSUER,
        "aud": _audience(studio_id),
        "sub": str(customer_id),
        "sid": str(family_id),
        "typ": TOKEN_TYPE,
        "iat": issued_at,
        "exp": issued_at + ACCESS_LIFETIME,
    }
    return jwt.encode(claims, key.get_secret_value(), algorithm=ALGORITHM)


def read_access_token(key: SecretStr, token: str, studio_id: UUID) -> AccessToken | None:
    """None for anything but a living access token of this studio, whatever is wrong with it."""
    if len(token) > TOKEN_LENGTH_LIMIT:
        return None
    try:
        claims = jwt.decode(
            token,
            key.get_secret_value(),
            algorithms=[ALGORITHM],
            audience=_audience(studio_id),
            issuer=ISSUER,
            options={"require": _CLAIMS},
        )
        if claims["typ"] != TOKEN_TYPE:
            return None
        return AccessToken(UUID(claims["sub"]), UUID(claims["sid"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def new_refresh_token() -> str:
    return secrets.token_urlsafe(REFRESH_BYTES)


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
