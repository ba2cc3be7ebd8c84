"""Tokens: 256 bits that are shown once and kept as their hash.

A browser's is random. What a person makes by a form or a keyed request (an invitation, a token for a program)
comes from the server's key and the row's id instead: who sends the same request again sees the same secret,
and no second row is made.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import SecretStr

from kit.ids import sha256

SignInKind = Literal["browser", "token"]

TOKEN_BYTES: Final = 32
TOKEN_LENGTH_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new sign-in: the token goes to the person, nowhere else."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A row that was made, and the secret that opens it."""

    id: UUID
    secret: str = field(repr=False)


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def secret_of(key: SecretStr, purpose: Literal["invitation", "token"], row_id: UUID) -> str:
    """The secret of a row: always the same one, and nobody's without the server's key."""
    message = f"secret\x1f{purpose}\x1f{row_id}".encode()
    digest = hmac.digest(key.get_secret_value().encode(), message, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """As tokens are stored and found."""
    return sha256(token.encode())
