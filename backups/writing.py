"""Files of a backup on their way to the disk: encrypted, measured, and there for good.

Called by taking alone.
"""

import hashlib
import os
from pathlib import Path

from backups.encryption import Readable, encrypt
from backups.manifest import FileFacts


class _MeasuredFile:
    """A file that knows what was written to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def write(self, piece: bytes) -> int:
        written = os.write(self._descriptor, piece)
        self._digest.update(piece[:written])
        self._size_bytes += written
        return written

    def facts(self) -> FileFacts:
        return FileFacts(size_bytes=self._size_bytes, sha256=self._digest.hexdigest())


def write_encrypted(file: Path, source: Readable, recipient: str) -> FileFacts:
    """All of `source`, for the owner alone, on the disk when it returns. Raises OSError if that is full."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        measured = _MeasuredFile(descriptor)
        encrypt(source, measured, recipient)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return measured.facts()


def write_plain(file: Path, content: bytes) -> None:
    """Something that anybody may read, on the disk when it returns."""
    with file.open("xb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def sync(directory: Path) -> None:
    """The names in it are on the disk, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
