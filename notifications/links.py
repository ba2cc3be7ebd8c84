"""Links in messages: signed, for one customer and one thing, until a set time. Pure.

The worker signs them, the client API reads them. A link says who may do what to which thing; whether that can
still be done the command decides. Whoever has the link may use it, as with any link in a letter: it pays or
cancels, and shows no more than the letter did.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args
from uuid import UUID

import jwt

from kit.errors import BillbusError

ALGORITHM: Final = "HS256"
ISSUER: Final = "billbus"
TOKEN_TYPE: Final = "link"  # noqa: S105
TOKEN_LENGTH_LIMIT: Final = 1_000
_CLAIMS: Final = ["aud", "exp", "iat", "iss", "obj", "pur", "sub", "typ"]

Purpose = Literal["pay", "cancel", "cancel_booking"]
_PURPOSES: Final[dict[str, Purpose]] = {each: each for each in get_args(Purpose)}


class LinkInvalid(BillbusError):
    """It is not one of ours, or has been changed."""

    code = "link_invalid"


class LinkExpired(BillbusError):
    """It was ours; its time is over."""

    code = "link_expired"


@dataclass(frozen=True, slots=True)
class Link:
    """What a customer may do by it: `pay` an invoice, `cancel` a subscription at the end of its period, or
    `cancel_booking`: let a booking go by its terms.

    `subject_id` is the invoice, the subscription or the booking. `expires_at` is by the world's clock.
    """

    purpose: Purpose
    studio_id: UUID
    customer_id: UUID
    subject_id: UUID
    expires_at: datetime


def sign_link(key: str, link: Link, now: datetime) -> str:
    """The token, letters that need no quoting in a URL. `key` is LINK_KEY."""
    claims = {
        "iss": ISSUER,
        "typ": TOKEN_TYPE,
        "aud": f"studio:{link.studio_id}",
        "sub": str(link.customer_id),
        "pur": link.purpose,
        "obj": str(link.subject_id),
        "iat": now,
        "exp": link.expires_at,
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_link(key: str, token: str, now: datetime) -> Link:
    """What a token allows at `now`. Raises LinkInvalid, LinkExpired."""
    if len(token) > TOKEN_LENGTH_LIMIT:
        raise LinkInvalid
    try:
        link = _verify(key, token)
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise LinkInvalid from None
    if link.expires_at <= now:
        raise LinkExpired
    return link


def _verify(key: str, token: str) -> Link:
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        # The studio is a claim to be read, and the time is the caller's.
        options={"require": _CLAIMS, "verify_aud": False, "verify_exp": False, "verify_iat": False},
    )
    kind, _, studio_id = claims["aud"].partition(":")
    if claims["typ"] != TOKEN_TYPE or kind != "studio":
        raise ValueError("a token of another kind")
    return Link(
        purpose=_PURPOSES[claims["pur"]],
        studio_id=UUID(studio_id),
        customer_id=UUID(claims["sub"]),
        subject_id=UUID(claims["obj"]),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
