"""The chain of events of one aggregate: each hash covers the one before and the event's columns."""

from collections.abc import Mapping

from kit.canonical import canonical_json
from kit.ids import sha256

# The stored columns that a hash covers, everything but the hash itself.
HASHED_COLUMNS = (
    "aggregate_id",
    "command_id",
    "correlation_id",
    "facts",
    "from_state",
    "machine",
    "occurred_at",
    "studio_id",
    "to_state",
    "trigger",
    "version",
)


def event_hash(previous: bytes, event: Mapping[str, object]) -> bytes:
    """32 bytes over the previous hash (b"" for the first) and canonical JSON of exactly `HASHED_COLUMNS`."""
    return sha256(previous + canonical_json(event))
