"""Customers as staff enters them, and what staff writes down about them.

Called by the admin in the transaction of the studio. A customer who is entered here has no password.
"""

from uuid import UUID

from sqlalchemy import Connection, text

from kit.errors import NotFound, Refused

_CUSTOMER = text("""
    INSERT INTO customer (id, studio_id, email, name, locale)
    VALUES (:id, :studio_id, :email, :name, :locale) ON CONFLICT (studio_id, email) DO NOTHING
""")
_EXISTS = text("SELECT 1 FROM customer WHERE id = :id")
_NOTE = text("""
    INSERT INTO customer_note (id, studio_id, customer_id, staff_member_id, body, created_at)
    VALUES (:id, :studio_id, :customer_id, :staff_member_id, :body, clock_timestamp())
""")


def create_customer(
    connection: Connection, customer_id: UUID, *, studio_id: UUID, email: str, name: str, locale: str
) -> None:
    """`email` is in lower case. Raises Refused (`email_taken`)."""
    row = {"id": customer_id, "studio_id": studio_id, "email": email, "name": name, "locale": locale}
    if connection.execute(_CUSTOMER, row).rowcount == 0:
        raise Refused("email_taken")


def require_customer(connection: Connection, customer_id: UUID) -> None:
    """Raises NotFound, also for a customer of another studio."""
    if connection.scalar(_EXISTS, {"id": customer_id}) is None:
        raise NotFound(what="customer", id=str(customer_id))


def add_note(
    connection: Connection,
    note_id: UUID,
    *,
    studio_id: UUID,
    customer_id: UUID,
    staff_member_id: UUID,
    body: str,
) -> None:
    """Raises NotFound."""
    require_customer(connection, customer_id)
    row = {
        "id": note_id,
        "studio_id": studio_id,
        "customer_id": customer_id,
        "staff_member_id": staff_member_id,
        "body": body,
    }
    connection.execute(_NOTE, row)
