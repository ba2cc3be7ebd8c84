"""Customers and their sign-ins. A refresh token is known here by its hash alone."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from client_api.tokens import REFRESH_LIFETIME
from kit.ids import new_id, sha256


@dataclass(frozen=True, slots=True)
class Customer:
    id: UUID
    email: str
    name: str
    locale: str
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a refresh token that was shown: whose it was, and whether it was used before."""

    customer_id: UUID
    family_id: UUID
    is_reuse: bool


_INSERT_CUSTOMER = text("""
    INSERT INTO customer (id, studio_id, email, name, locale, password_hash)
    VALUES (:id, :studio_id, :email, :name, :locale, :password_hash)
    ON CONFLICT (studio_id, email) DO NOTHING
""")
_COLUMNS = "SELECT id, email, name, locale, password_hash FROM customer"
_FIND_BY_EMAIL = text(f"{_COLUMNS} WHERE email = :email")
_FIND_BY_ID = text(f"{_COLUMNS} WHERE id = :customer_id")
_INSERT_SESSION = text("""
    INSERT INTO session (id, studio_id, customer_id, family_id, token_hash, created_at, expires_at)
    VALUES (:id, :studio_id, :customer_id, :family_id, :token_hash, :created_at, :expires_at)
""")
# A sign-in's first row is its lock. Without it a token that is being minted is not seen by who ends the
# sign-in at that moment, and outlives it.
_LOCK_FAMILY = text("""
    SELECT 1 FROM session
    WHERE family_id = (SELECT family_id FROM session WHERE token_hash = :token_hash)
    ORDER BY id LIMIT 1 FOR UPDATE
""")
_ROTATE = text("""
    UPDATE session SET rotated_at = :now
    WHERE token_hash = :token_hash AND rotated_at IS NULL AND revoked_at IS NULL AND expires_at > :now
      AND customer_id IS NOT NULL
    RETURNING customer_id, family_id
""")
_FIND_USED = text("""
    SELECT customer_id, family_id FROM session
    WHERE token_hash = :token_hash AND rotated_at IS NOT NULL AND customer_id IS NOT NULL
""")
_FIND_FAMILY = text("""
    SELECT customer_id, family_id FROM session WHERE token_hash = :token_hash AND customer_id IS NOT NULL
""")
_REVOKE = text("UPDATE session SET revoked_at = :now WHERE family_id = :family_id AND revoked_at IS NULL")


def insert_customer(connection: Connection, studio_id: UUID, customer: Customer) -> bool:
    """False when the studio has a customer with this e-mail."""
    row = {
        "id": customer.id,
        "studio_id": studio_id,
        "email": customer.email,
        "name": customer.name,
        "locale": customer.locale,
        "password_hash": customer.password_hash,
    }
    return connection.execute(_INSERT_CUSTOMER, row).rowcount == 1


def find_customer_by_email(connection: Connection, email: str) -> Customer | None:
    row = connection.execute(_FIND_BY_EMAIL, {"email": email}).one_or_none()
    return Customer(*row) if row else None


def get_customer(connection: Connection, customer_id: UUID) -> Customer:
    return Customer(*connection.execute(_FIND_BY_ID, {"customer_id": customer_id}).one())


def insert_session(
    connection: Connection, studio_id: UUID, customer_id: UUID, family_id: UUID, token: str, now: datetime
) -> None:
    row = {
        "id": new_id(),
        "studio_id": studio_id,
        "customer_id": customer_id,
        "family_id": family_id,
        "token_hash": sha256(token.encode()),
        "created_at": now,
        "expires_at": now + REFRESH_LIFETIME,
    }
    connection.execute(_INSERT_SESSION, row)


def rotate(connection: Connection, token: str, now: datetime) -> Rotation | None:
    """Uses a refresh token up; None for one that is unknown, expired or revoked.

    One that was used before is stolen, or its thief was first: the whole family is revoked, and the caller
    must commit that before it refuses.
    """
    row = {"token_hash": sha256(token.encode()), "now": now}
    connection.execute(_LOCK_FAMILY, row)
    used = connection.execute(_ROTATE, row).one_or_none()
    if used is not None:
        return Rotation(used.customer_id, used.family_id, is_reuse=False)
    used_before = connection.execute(_FIND_USED, row).one_or_none()
    if used_before is None:
        return None
    connection.execute(_REVOKE, {"family_id": used_before.family_id, "now": now})
    return Rotation(used_before.customer_id, used_before.family_id, is_reuse=True)


def revoke_family(connection: Connection, token: str, now: datetime) -> UUID | None:
    """Ends the sign-in that a refresh token is of, used up or not; its customer, or None if there is none."""
    row = {"token_hash": sha256(token.encode())}
    connection.execute(_LOCK_FAMILY, row)
    found = connection.execute(_FIND_FAMILY, row).one_or_none()
    if found is None:
        return None
    connection.execute(_REVOKE, {"family_id": found.family_id, "now": now})
    customer_id: UUID = found.customer_id
    return customer_id
