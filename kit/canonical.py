"""Canonical JSON: one byte string for one value, whatever order its keys were built in."""

import orjson


def canonical_json(value: object) -> bytes:
    """Sorted keys, no spaces, UUIDs as text, aware datetimes in UTC with microseconds and `Z`.

    Hashes of bodies and of the event chain are taken over this, so its form never changes.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
