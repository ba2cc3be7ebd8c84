"""Files that take what started processes print.

Called by the rooms of runtime that start processes. Our own log lines are not made here.
"""

from pathlib import Path
from typing import BinaryIO

LOG_BYTES_MAX = 16 * 1024 * 1024
TAIL_BYTES = 4_000


def open_log(path: Path) -> BinaryIO:
    """For appending. A file over LOG_BYTES_MAX is first set aside as `.1`, over the one set aside before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def log_tail(path: Path, *, since: int = 0) -> str:
    """The last TAIL_BYTES at most, beginning at the byte `since` at the earliest."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES, min(since, size)))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
