"""Identifiers: time-ordered ones for rows, derived ones for everything that may be sent twice."""

import hashlib
from datetime import datetime
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

# The namespace of every derived id; changing it would make every retried command a new one.
BILLBUS_NAMESPACE = UUID("6f1c1c0e-6a5e-5d0a-9f0a-3f0b5a4b7e11")

_TIME_BITS = 80
_BELOW_TIME = (1 << _TIME_BITS) - 1
_VERSION_SHIFT = 76
_VERSION = 0xF << _VERSION_SHIFT


def new_id() -> UUID:
    """A UUIDv7: unique, and close in the index to rows made at the same time."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """The same UUIDv5 for the same parts, for ever. Parts are joined by a character no part may hold."""
    return uuid5(BILLBUS_NAMESPACE, "\x1f".join(str(part) for part in parts))


def derived_id_at(at: datetime, *parts: object) -> UUID:
    """The same UUIDv7 for the same parts, for ever, among other keys where the instant `at` is."""
    milliseconds, rest = int(at.timestamp() * 1000), derived_id(*parts).int & _BELOW_TIME
    return UUID(int=milliseconds << _TIME_BITS | rest & ~_VERSION | 7 << _VERSION_SHIFT)


def sha256(content: bytes) -> bytes:
    """32 bytes that stand for `content` in hashes of bodies, tokens and event chains."""
    return hashlib.sha256(content).digest()
