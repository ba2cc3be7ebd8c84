"""Access tokens: made and checked here, kept nowhere but in the memory of who has checked them.

An access token is a JWT (HS256, ten minutes) for one studio. A refresh token is 256 random bits of which only
the hash is stored.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from time import time
from typing import Final
from uuid import UUID

import jwt
from pydantic import SecretStr

ALGORITHM: Final = "HS256"
ISSUER: Final = "billbus"
TOKEN_TYPE: Final = "access"  # noqa: S105
ACCESS_LIFETIME: Final = timedelta(minutes=10)
REFRESH_LIFETIME: Final = timedelta(days=30)
REFRESH_BYTES: Final = 32
TOKEN_LENGTH_LIMIT: Final = 2_000
KNOWN_TOKENS_LIMIT: Final = 1_000
_CLAIMS: Final = ["aud", "exp", "iat", "iss", "sid", "sub", "typ"]


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
        access_token, expires_at = _verify(key, token, studio_id)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return access_token if time() < expires_at else None


# A client sends one token for ten minutes: what it says and until when never changes, so its signature is
# checked once. What may change, the end of the sign-in, every request asks the database.
@lru_cache(KNOWN_TOKENS_LIMIT)
def _verify(key: SecretStr, token: str, studio_id: UUID) -> tuple[AccessToken, int]:
    claims = jwt.decode(
        token,
        key.get_secret_value(),
        algorithms=[ALGORITHM],
        audience=_audience(studio_id),
        issuer=ISSUER,
        options={"require": _CLAIMS},
    )
    if claims["typ"] != TOKEN_TYPE:
        raise ValueError("a token of another kind")
    return AccessToken(UUID(claims["sub"]), UUID(claims["sid"])), int(claims["exp"])


def new_refresh_token() -> str:
    return secrets.token_urlsafe(REFRESH_BYTES)
