"""Messages to customers out of events. Called by the listener of the subscription `notifications`.

Only plans them, in the listener's transaction; who is written what is the notifications' to say, and a worker
sends.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from integrations.listening import Heard
from notifications.planning import plan_for_event


def plan_messages(connection: Connection, heard: Sequence[Heard]) -> None:
    """Plans what each event gives occasion for; the same occasion only once."""
    for each in heard:
        plan_for_event(connection, each.event, each.kind, each.event_id, each.correlation_id)
