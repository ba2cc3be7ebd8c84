"""The twin's append-only file: one JSON object a line, on disk before `append` returns.

Called by `books` only. A line cut by a kill is dropped at the next start: nobody was told of it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Entry: TypeAlias = dict[str, object]


class Ledger:
    """Opens (and mends) the file; not safe for threads, its owner holds a lock."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "ledger.jsonl"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._cut_torn_line()

    def entries(self) -> Iterator[Entry]:
        """Read every entry from the beginning."""
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def append(self, entry: Entry) -> None:
        """Write one entry and force it to disk."""
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        written = 0
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _cut_torn_line(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)
