"""What lies beside an encrypted backup and may be read without a key: when, of what, how large, and the sums.

Called by taking (writes) and restoring (reads and compares). Nothing personal and nothing secret.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from backups.books import Books
from backups.failures import BackupFailed

MANIFEST_FILE = "manifest.json"
DUMP_FILE = "database.dump.age"
CONFIGURATION_FILE = "configuration.tar.age"
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024


class FileFacts(BaseModel):
    """An encrypted file as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """A backup's own description. `dumped_by` is pg_dump's major version: pg_restore may not be older."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    taken_at: AwareDatetime
    product_version: str
    server_version: int
    dumped_by: int
    recipient: str
    books: Books
    files: dict[str, FileFacts]


def read_manifest(backup: Path) -> Manifest:
    """Raises BackupFailed if it is missing, or not one of ours."""
    try:
        with (backup / MANIFEST_FILE).open("rb") as opened:
            return Manifest.model_validate_json(opened.read(MANIFEST_BYTES_MAX))
    except OSError as error:
        raise BackupFailed(f"{backup} is no backup: {MANIFEST_FILE}: {error.strerror}") from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise BackupFailed(f"The manifest of {backup.name} cannot be understood: {where}") from None


def check_files(backup: Path, manifest: Manifest) -> int:
    """Every file is there and is what was written; the size of all in bytes. Raises BackupFailed."""
    for name in (DUMP_FILE, CONFIGURATION_FILE):
        if _facts_of(backup / name) != manifest.files.get(name):
            raise BackupFailed(f"{name} of {backup.name} is damaged: its bytes are not what was written.")
    return sum(facts.size_bytes for facts in manifest.files.values())


def _facts_of(file: Path) -> FileFacts:
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                digest.update(piece)
                size_bytes += len(piece)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}") from error
    return FileFacts(size_bytes=size_bytes, sha256=digest.hexdigest())
