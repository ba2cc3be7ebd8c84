"""The advisory lock of a customer, a payment or a hall: one key for everyone who takes it.

Called by the apply path and by the answer to a provider's Check. Nothing is locked here.
"""

from uuid import UUID


def advisory_key(identifier: UUID) -> int:
    """The key of pg_advisory_xact_lock, signed 64 bits; two ids may share one, which only waits."""
    return int.from_bytes(identifier.bytes[8:], "big", signed=True)
