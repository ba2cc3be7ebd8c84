"""Parked events of the embedded bus, as ops look at them and send them again: its dead letters.

Called by the command line under the owner's login. Parked commands are rows of the journal and not its
business. Why an event was rejected is in the log.
"""

from typing import Final
from uuid import UUID

from psycopg.rows import args_row

from bus.embedded.events import CHANNEL
from bus.embedded.session import Connection
from bus.port import DeadLetter

PLACE: Final = "inbox"

_LIST: Final = """
SELECT consumer, event_id, kind, studio_id, octet_length(body) FROM inbox WHERE state = 'parked'
ORDER BY sequence LIMIT %s
"""
_PUT_BACK: Final = """
UPDATE inbox SET state = 'waiting', tries = 0, due_at = clock_timestamp()
WHERE consumer = %s AND event_id = %s AND state = 'parked'
"""


def list_parked_events(connection: Connection, limit: int) -> list[DeadLetter]:
    """The oldest first; an event that several consumers rejected is there for each of them."""
    return connection.cursor(row_factory=args_row(_letter)).execute(_LIST, [limit]).fetchall()


def put_back_event(connection: Connection, letter: DeadLetter) -> bool:
    """Its consumer gets it again once the caller has committed. False when it is not parked any more."""
    was_parked = connection.execute(_PUT_BACK, [letter.came_from, letter.message_id]).rowcount == 1
    connection.execute(f"NOTIFY {CHANNEL}")
    return was_parked


def _letter(consumer: str, event_id: UUID, kind: str, studio_id: UUID, size_bytes: int) -> DeadLetter:
    return DeadLetter(PLACE, str(event_id), kind, str(studio_id), "rejected", consumer, size_bytes)
