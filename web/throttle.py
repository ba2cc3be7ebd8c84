"""How often somebody may get a password wrong: counted per e-mail, per address, and for both together.

Called wherever a password is checked, by every API; nobody else counts. A try is counted before the password
is looked at and taken back when it was right, so that many at once are no more tries than one after another.
A refused try counts nothing, and a window ends when it was said to: nobody is locked out for ever. Who has
signed in from an address before is not hindered there by what others do elsewhere.

The table cannot be filled: hashes are cut to BUCKET_BYTES, so a studio has at most 65 536 rows for each of
three kinds and two realms, and rows are used again. Beside them there is one for each e-mail and address that
did sign in. Which e-mail was tried cannot be read back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from kit.ids import sha256
from storage.database import tenant
from web.credentials import same_email
from web.passwords import password_matches
from web.problems import Problem

Kind = Literal["address", "both", "email"]

WINDOW: Final = timedelta(minutes=15)
# Wrong passwords in a window. Many people share an address; few mistype their own password five times.
FAILURES_MAX: Final[Mapping[Kind, int]] = {"address": 100, "both": 5, "email": 50}
PROVEN_FOR: Final = timedelta(days=90)
BUCKET_BYTES: Final = 2
# Whoever has one IPv6 address has all of its /64.
IPV6_PREFIX: Final = 64

_COUNT = text("""
    INSERT INTO sign_in_failure AS counted (studio_id, subject_hash, failures, window_ends_at)
    VALUES (:studio_id, :subject_hash, 1, :window_ends_at)
    ON CONFLICT (studio_id, subject_hash) DO UPDATE SET
        failures = CASE WHEN counted.window_ends_at > :now THEN counted.failures + 1 ELSE 1 END,
        window_ends_at = CASE WHEN counted.window_ends_at > :now THEN counted.window_ends_at
            ELSE excluded.window_ends_at END
    RETURNING failures, window_ends_at
""")
# Zero failures is a window that is over.
_TAKE_BACK = text("""
    UPDATE sign_in_failure SET failures = greatest(failures - 1, 1),
        window_ends_at = CASE WHEN failures = 1 THEN :now ELSE window_ends_at END
    WHERE studio_id = :studio_id AND subject_hash = :subject_hash AND window_ends_at > :now
""")
_IS_PROVEN = text("""
    SELECT 1 FROM sign_in_failure
    WHERE studio_id = :studio_id AND subject_hash = :subject_hash AND window_ends_at > :now
""")
_REMEMBER = text("""
    INSERT INTO sign_in_failure (studio_id, subject_hash, failures, window_ends_at)
    VALUES (:studio_id, :subject_hash, 1, :window_ends_at)
    ON CONFLICT (studio_id, subject_hash) DO UPDATE SET window_ends_at = excluded.window_ends_at
""")


@dataclass(frozen=True, slots=True)
class Trier:
    """Who tries: at which door of which studio, under which e-mail, from where."""

    studio_id: UUID
    realm: Literal["customer", "staff"]
    email: str
    remote_address: str | None


def prove(engine: Engine, trier: Trier, password: str, password_hash: str | None, now: datetime) -> bool:
    """Whether the password is right; a wrong one counts. None as hash is nobody: as slow as a wrong password.

    Raises Problem 429 with Retry-After before it looks, and 503, which counts nothing.
    """
    with tenant(engine, trier.studio_id) as connection:
        _take_try(connection, trier, now)
    is_right, is_counted = False, False
    try:
        is_right = password_matches(password, password_hash)
        is_counted = not is_right
    finally:
        if not is_counted:
            with tenant(engine, trier.studio_id) as connection:
                _take_back(connection, trier, now, is_proven=is_right)
    return is_right


def _take_try(connection: Connection, trier: Trier, now: datetime) -> None:
    # Raising undoes what was counted. Every transaction takes the rows in the same order: no deadlock.
    over: dict[Kind, datetime] = {}
    for kind, subject_hash in _counted(trier):
        row = {"studio_id": trier.studio_id, "subject_hash": subject_hash, "now": now}
        counted = connection.execute(_COUNT, {**row, "window_ends_at": now + WINDOW}).one()
        if counted.failures > FAILURES_MAX[kind]:
            over[kind] = counted.window_ends_at
    if over and ("both" in over or not _is_proven(connection, trier, now)):
        seconds = ceil((max(over.values()) - now).total_seconds())
        raise Problem(429, "too_many_tries", headers={"Retry-After": str(max(seconds, 1))})


def _take_back(connection: Connection, trier: Trier, now: datetime, *, is_proven: bool) -> None:
    for _kind, subject_hash in _counted(trier):
        row = {"studio_id": trier.studio_id, "subject_hash": subject_hash, "now": now}
        connection.execute(_TAKE_BACK, row)
    if is_proven:
        row = {"studio_id": trier.studio_id, "subject_hash": _proven(trier)}
        connection.execute(_REMEMBER, {**row, "window_ends_at": now + PROVEN_FOR})


def _is_proven(connection: Connection, trier: Trier, now: datetime) -> bool:
    row = {"studio_id": trier.studio_id, "subject_hash": _proven(trier), "now": now}
    return connection.scalar(_IS_PROVEN, row) is not None


def _counted(trier: Trier) -> list[tuple[Kind, bytes]]:
    email, network = same_email(trier.email), _network(trier.remote_address)
    named: dict[Kind, str] = {"address": network, "both": f"{email}\x1f{network}", "email": email}
    return sorted((kind, _bucket(trier, kind, name)) for kind, name in named.items())


def _bucket(trier: Trier, kind: Kind, name: str) -> bytes:
    # What shares a bucket is counted together: with 65 536 of them a stranger is hardly ever hit.
    return f"{trier.realm}:{kind}:".encode() + sha256(name.encode())[:BUCKET_BYTES]


def _proven(trier: Trier) -> bytes:
    name = f"{same_email(trier.email)}\x1f{_network(trier.remote_address)}"
    return f"{trier.realm}:proven:".encode() + sha256(name.encode())


def _network(remote_address: str | None) -> str:
    # A server behind a Unix socket has peers without an address; they are one.
    try:
        address = ip_address(remote_address or "")
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    return str(ip_network((address.packed, IPV6_PREFIX), strict=False))
