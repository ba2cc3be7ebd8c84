"""Two studios with a little in each, for the tests of this folder."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from kit.ids import new_id, sha256
from storage.studios import create_studio


@dataclass(frozen=True)
class Tenant:
    """A studio with one customer."""

    studio_id: UUID
    customer_id: UUID


_CUSTOMER = text(
    "INSERT INTO customer (id, studio_id, email, name) VALUES (:id, :studio_id, 'same@example.org', 'Same')"
)
_INVOICE = text("""
    INSERT INTO invoice (id, studio_id, customer_id, state, version, head_hash, currency, total_minor,
        expires_at, created_at, updated_at)
    VALUES (:id, :studio_id, :customer_id, :state, :version, :head_hash, 'RUB', 100, now(), now(), now())
""")


def create_tenant(connection: Connection, host: str) -> Tenant:
    """A studio and its customer, who has the same address in every studio."""
    tenant = Tenant(new_id(), new_id())
    create_studio(
        connection, tenant.studio_id, name=host, host=host, timezone="Europe/Moscow", currency="RUB"
    )
    connection.execute(_CUSTOMER, {"id": tenant.customer_id, "studio_id": tenant.studio_id})
    return tenant


def insert_invoice(connection: Connection, tenant: Tenant, state: str = "draft", version: int = 1) -> UUID:
    """A raw invoice row, as no handler would write it."""
    invoice_id = new_id()
    connection.execute(
        _INVOICE,
        {
            "id": invoice_id,
            "studio_id": tenant.studio_id,
            "customer_id": tenant.customer_id,
            "state": state,
            "version": version,
            "head_hash": sha256(b""),
        },
    )
    return invoice_id
