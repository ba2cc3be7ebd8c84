"""What statements share that find work for the clock: how much at once, by whose clock, of which story.

Called by the modules of this package. `o` is the studio's row of `clock_offset`, if it has one.
"""

from typing import Final

DUE_LIMIT: Final = 200
# How far the studio's clock is ahead of the world's, and what it shows.
OFFSET: Final = "make_interval(secs => coalesce(o.offset_seconds, 0))"
STUDIO_NOW: Final = f"clock_timestamp() + {OFFSET}"
# Offsets are few, and only test studios have any: the largest bounds a walk in an index.
LATEST: Final = "(SELECT make_interval(secs => greatest(max(offset_seconds), 0)) FROM clock_offset)"


def story_of(aggregate_id: str) -> str:
    """SQL for the correlation id that an aggregate began with; the argument is SQL of the caller's."""
    return (
        "(SELECT correlation_id FROM state_event e"  # noqa: S608
        f" WHERE e.aggregate_id = {aggregate_id} AND e.version = 1) AS correlation_id"
    )
