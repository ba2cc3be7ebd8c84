"""age (age-encryption.org/v1) as a stream, and the files that its keys are kept in.

Called by taking and restoring; the only room that knows pyrage. A stream goes through in pieces of 64 KiB,
whatever its length. Only the recipient, the public half, is ever where backups are taken.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import pyrage

from backups.failures import BackupFailed

IDENTITY_FILE_BYTES_MAX = 64 * 1024


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    def write(self, piece: bytes, /) -> int: ...


Identity: TypeAlias = pyrage.x25519.Identity


def encrypt(source: Readable, sink: Writable, recipient: str) -> None:
    """All of `source` into `sink`. Raises BackupFailed for a malformed recipient, and what the two raise."""
    try:
        key = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise BackupFailed("BACKUP_RECIPIENT is no age recipient: it begins with age1.") from None
    reader, writer = _Source(source), _Sink(sink)
    try:
        pyrage.encrypt_io(reader, writer, [key])
    except (pyrage.EncryptError, OSError) as error:
        raise (reader.error or writer.error or BackupFailed(f"Encryption ended: {error}")) from None


def decrypt(source: Readable, sink: Writable, identities: Sequence[Identity]) -> None:
    """All of `source` into `sink`, every piece after it was authenticated.

    What the sink has got before this raises may be the beginning of the whole, never anything else. Raises
    BackupFailed, and what the two raise.
    """
    reader, writer = _Source(source), _Sink(sink)
    try:
        pyrage.decrypt_io(reader, writer, list(identities))
    except (pyrage.DecryptError, OSError) as error:
        told = str(error)
        wrong_key = "No matching keys" in told
        sentence = "The identity does not open this backup." if wrong_key else f"It does not decrypt: {told}."
        raise (reader.error or writer.error or BackupFailed(sentence)) from None


def make_identity_file(file: Path, now: datetime) -> str:
    """A new key in the form of `age-keygen`, for its owner's eyes alone; returns the recipient.

    Raises BackupFailed if the file exists: a key that is overwritten takes every backup with it.
    """
    identity = Identity.generate()
    recipient = str(identity.to_public())
    created = now.astimezone(UTC).isoformat(timespec="seconds")
    words = f"# created: {created}\n# public key: {recipient}\n{identity}\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BackupFailed(f"No key is written: {error.strerror}: {file}") from error
    with os.fdopen(descriptor, "w") as opened:
        opened.write(words)
        opened.flush()
        os.fsync(descriptor)
    return recipient


def read_identities(file: Path) -> list[Identity]:
    """The keys of an identity file, at least one. Raises BackupFailed, never with a word of the file."""
    try:
        with file.open("rb") as opened:
            lines = opened.read(IDENTITY_FILE_BYTES_MAX).decode("ascii", errors="replace").splitlines()
        keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        identities = [Identity.from_str(key) for key in keys]
    except OSError as error:
        raise BackupFailed(f"The identity file cannot be read: {error.strerror}: {file}") from error
    except pyrage.IdentityError:
        identities = []
    if not identities:
        raise BackupFailed(f"{file} is no identity file: it has a line that begins with AGE-SECRET-KEY-1.")
    return identities


class _Source:
    """Reads for pyrage, which turns every exception, Ctrl-C too, into one of its own: ours is kept."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise


class _Sink:
    """Writes for pyrage, and keeps what was raised."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self.error: BaseException | None = None

    def write(self, piece: bytes) -> int:
        try:
            return self._sink.write(piece)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Whoever owns the sink flushes it."""
