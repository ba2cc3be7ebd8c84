"""The chain of events, recomputed: whoever changed a stored column or hash, triggers or not, is seen.

Called by `storage.verification`. Reads bounded pages; holds one page in memory.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from billing.events import HASHED_COLUMNS, event_hash
from storage.findings import Check, Finding, gather

CHAIN = "chain_of_hashes"
STATEMENT = "I12: the hash of every event is taken over its stored columns and the hash before it."
EVENTS_PAGE_SIZE = 5_000

_EVENTS = text(f"""
    SELECT {", ".join(HASHED_COLUMNS)}, hash FROM state_event
    WHERE (aggregate_id, version) > (:aggregate_id, :version)
    ORDER BY aggregate_id, version LIMIT {EVENTS_PAGE_SIZE}
""")  # noqa: S608  # our own column names


def check_chains(connection: Connection) -> Check:
    """Every event whose hash is not the one its columns and its predecessor give."""
    return gather(CHAIN, STATEMENT, _broken(connection))


def _events(connection: Connection) -> Iterator[RowMapping]:
    """Every event, each aggregate's in the order of its versions."""
    place: Mapping[str, object] = {"aggregate_id": UUID(int=0), "version": 0}
    while page := connection.execute(_EVENTS, place).mappings().all():
        yield from page
        place = {"aggregate_id": page[-1]["aggregate_id"], "version": page[-1]["version"]}


def _broken(connection: Connection) -> Iterator[Finding]:
    aggregate_id, previous = None, b""
    for row in _events(connection):
        if row["aggregate_id"] != aggregate_id:
            aggregate_id, previous = row["aggregate_id"], b""
        stored = bytes(row["hash"])
        if event_hash(previous, _hashed(row)) != stored:
            subject = f"{aggregate_id} v{row['version']}"
            yield Finding(row["studio_id"], subject, "its hash is not the one of its columns")
        previous = stored


def _hashed(row: RowMapping) -> dict[str, object]:
    values = {name: row[name] for name in HASHED_COLUMNS}
    occurred_at = values["occurred_at"]
    assert isinstance(occurred_at, datetime)
    return values | {"occurred_at": occurred_at.astimezone(UTC)}
