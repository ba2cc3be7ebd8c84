"""Quotes: offers that a studio keeps to for some minutes, signed and stored nowhere.

Made and read by the routes of bookings. A quote is a JWT (HS256) for one customer of one studio, with a key
of its own. Used again it is the same offer: whether the time is still free is the command's matter.
"""

import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Final
from uuid import UUID

import jwt
from pydantic import SecretStr

from bus.messages import Offer
from kit.errors import Refused
from kit.ids import new_id

ALGORITHM: Final = "HS256"
ISSUER: Final = "billbus"
QUOTE_TYPE: Final = "quote"
# An offer of a hundred lines fits in; a body that carries one is at most 64 KiB.
QUOTE_LENGTH_LIMIT: Final = 48 * 1024
_PURPOSE: Final = b"billbus: quotes of bookings"
_CLAIMS: Final = ["aud", "iss", "jti", "offer", "sub", "typ", "until"]


@dataclass(frozen=True, slots=True)
class Quote:
    """An offer to one customer. With `booking_id`, for moving that booking and nothing else."""

    studio_id: UUID
    customer_id: UUID
    booking_id: UUID | None
    offer: Offer
    valid_until: datetime

    def require_valid(self, now: datetime) -> None:
        """Raises Refused when the studio's own `now` is past its time."""
        if now >= self.valid_until:
            raise Refused("quote_expired")


def quote_key(token_key: SecretStr) -> bytes:
    """The key of quotes alone: no access token can be made of it, and no quote of theirs."""
    return digest(token_key.get_secret_value().encode(), _PURPOSE, sha256)


def sign_quote(key: bytes, quote: Quote) -> str:
    """`valid_until` is kept to the second."""
    claims = {
        "iss": ISSUER,
        "aud": _audience(quote.studio_id),
        "sub": str(quote.customer_id),
        "jti": new_id().hex,
        "typ": QUOTE_TYPE,
        "until": int(quote.valid_until.timestamp()),
        "booking": str(quote.booking_id) if quote.booking_id else None,
        "offer": b64encode(zlib.compress(quote.offer.model_dump_json().encode())).decode(),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_quote(
    key: bytes, token: str, studio_id: UUID, customer_id: UUID, booking_id: UUID | None = None
) -> Quote:
    """The quote in a token, expired or not. `booking_id` is the booking to be moved by it.

    Raises Refused (`quote_invalid`), whatever is wrong: altered, of another studio, customer or booking.
    """
    try:
        quote = _read(key, token, studio_id)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError, OverflowError, zlib.error):
        raise Refused("quote_invalid") from None
    if (quote.customer_id, quote.booking_id) != (customer_id, booking_id):
        raise Refused("quote_invalid")
    return quote


def _read(key: bytes, token: str, studio_id: UUID) -> Quote:
    if len(token) > QUOTE_LENGTH_LIMIT:
        raise ValueError("too long")
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=_audience(studio_id),
        issuer=ISSUER,
        options={"require": _CLAIMS},
    )
    if claims["typ"] != QUOTE_TYPE:
        raise ValueError("a token of another kind")
    return Quote(
        studio_id=studio_id,
        customer_id=UUID(claims["sub"]),
        booking_id=UUID(claims["booking"]) if claims["booking"] else None,
        offer=Offer.model_validate_json(zlib.decompress(b64decode(claims["offer"]))),
        valid_until=datetime.fromtimestamp(claims["until"], UTC),
    )


def _audience(studio_id: UUID) -> str:
    return f"studio:{studio_id}"
