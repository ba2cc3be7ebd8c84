"""How a message's properties are written to RabbitMQ, and read from it without trusting them.

Used by publisher, consumer and upkeep. Anybody who may publish can put anything into a property: what is not
what it should be is None.
"""

from uuid import UUID

import pika

from bus.port import Delivery, Envelope

PERSISTENT = 2


def write_properties(envelope: Envelope, service: str) -> pika.BasicProperties:
    """`service` is the sender, as the broker's console shows it."""
    headers: dict[str, str | int] = {
        "studio_id": str(envelope.studio_id),
        "schema_version": envelope.schema_version,
    }
    if envelope.causation_id is not None:
        headers["causation_id"] = str(envelope.causation_id)
    return pika.BasicProperties(
        content_type="application/json",
        delivery_mode=PERSISTENT,
        message_id=str(envelope.message_id),
        correlation_id=envelope.correlation_id,
        type=envelope.kind,
        app_id=service,
        headers=headers,
    )


def read_delivery(
    properties: pika.BasicProperties, body: bytes, redelivered: bool, receipt: object
) -> Delivery:
    """The message as the port shows it."""
    version = (properties.headers or {}).get("schema_version")
    return Delivery(
        message_id=_uuid(properties.message_id),
        kind=text(properties.type),
        schema_version=version if isinstance(version, int) else None,
        body=body,
        correlation_id=text(properties.correlation_id) or "",
        redelivered=redelivered,
        receipt=receipt,
    )


def text(value: object) -> str | None:
    """None for what is no text: pika hands over as bytes what is not UTF-8."""
    return value if isinstance(value, str) else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(text(value) or "")
    except ValueError:
        return None
