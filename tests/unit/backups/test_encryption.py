"""age as a stream, and the files of its keys."""

import io
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backups.encryption import decrypt, encrypt, make_identity_file, read_identities
from backups.failures import BackupFailed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LARGE = 3_000_000


class Endless:
    """So many bytes that are nowhere at once."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.largest = 0

    def read(self, size: int, /) -> bytes:
        size = min(size, self.left)
        self.left -= size
        self.largest = max(self.largest, size)
        return bytes(size)


class Counted:
    """Takes until it is full, as a disk does."""

    def __init__(self, room: int = 2**60) -> None:
        self.room = room
        self.largest = 0

    def write(self, piece: bytes, /) -> int:
        self.largest = max(self.largest, len(piece))
        self.room -= len(piece)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(piece)


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    file = tmp_path / "key"
    return file, make_identity_file(file, NOW)


def _encrypted(recipient: str, plain: bytes) -> bytes:
    sink = io.BytesIO()
    encrypt(io.BytesIO(plain), sink, recipient)
    return sink.getvalue()


def test_what_was_encrypted_is_decrypted(key: tuple[Path, str]) -> None:
    plain = os.urandom(200_000)
    encrypted, decrypted = _encrypted(key[1], plain), io.BytesIO()
    assert plain[:1000] not in encrypted
    decrypt(io.BytesIO(encrypted), decrypted, read_identities(key[0]))
    assert decrypted.getvalue() == plain


def test_stream_goes_through_in_small_pieces(key: tuple[Path, str]) -> None:
    source, sink = Endless(LARGE), Counted()
    encrypt(source, sink, key[1])
    assert source.left == 0
    assert max(source.largest, sink.largest) < 70_000


def test_disk_that_fills_up_is_told_as_such(key: tuple[Path, str]) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        encrypt(Endless(LARGE), Counted(100_000), key[1])


def test_interrupt_in_the_middle_stays_an_interrupt(key: tuple[Path, str]) -> None:
    class Interrupted:
        def read(self, size: int, /) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encrypt(Interrupted(), Counted(), key[1])


def test_another_key_opens_nothing(key: tuple[Path, str], tmp_path: Path) -> None:
    make_identity_file(tmp_path / "other", NOW)
    encrypted = _encrypted(key[1], b"secret")
    with pytest.raises(BackupFailed, match="The identity does not open this backup"):
        decrypt(io.BytesIO(encrypted), Counted(), read_identities(tmp_path / "other"))


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "rubbish"])
def test_damaged_bytes_are_no_backup(key: tuple[Path, str], damage: str) -> None:
    whole = _encrypted(key[1], os.urandom(200_000))
    damaged = {
        "cut": whole[:-20],
        "changed": whole[:100_000] + bytes([whole[100_000] ^ 1]) + whole[100_001:],
        "empty": b"",
        "rubbish": b"rubbish" * 100,
    }[damage]
    with pytest.raises(BackupFailed, match="It does not decrypt"):
        decrypt(io.BytesIO(damaged), Counted(), read_identities(key[0]))


def test_identity_is_for_its_owner_alone_and_never_overwritten(key: tuple[Path, str]) -> None:
    file, recipient = key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    assert f"# public key: {recipient}\nAGE-SECRET-KEY-1" in before
    with pytest.raises(BackupFailed, match="File exists"):
        make_identity_file(file, NOW)
    assert file.read_text() == before


@pytest.mark.parametrize("content", ["", "# a comment\n", "AGE-SECRET-KEY-1RUBBISH\n", "\x00\xff"])
def test_file_without_a_key_is_refused_without_a_word_of_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content, "latin-1")
    with pytest.raises(BackupFailed, match="is no identity file") as caught:
        read_identities(file)
    assert "RUBBISH" not in str(caught.value)


def test_missing_identity_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="cannot be read: No such file"):
        read_identities(tmp_path / "nowhere")


def test_malformed_recipient_is_a_sentence() -> None:
    with pytest.raises(BackupFailed, match="BACKUP_RECIPIENT is no age recipient"):
        encrypt(Endless(1), Counted(), "age1rubbish")
