"""What a new machine needs beside the database, as one encrypted tar: secrets and the settings file.

Called by taking and restoring. Names of files and their contents, nothing else: what the definitions of the
broker, the proxy and the rest are comes from the product's own version.
"""

import io
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from backups.failures import BackupFailed
from runtime.settings import BackupSettings

FILES_MAX = 200
FILE_BYTES_MAX = 1024 * 1024
NAME_CHARACTERS_MAX = 255
# A tar pads every file to whole blocks.
TAR_BYTES_MAX = FILES_MAX * (FILE_BYTES_MAX + 4096)
SETTINGS_FILE = "settings.env"
SEALING_KEY_FILE = "secrets/sealing_key"

Files = Mapping[str, bytes]


def collect(settings: BackupSettings) -> dict[str, bytes]:
    """The files that go with the database, by name.

    Raises BackupFailed without a sealing key: a restored database could not open its providers' secrets.
    """
    files: dict[str, bytes] = {}
    if settings.backup_secrets_directory is not None:
        for file in _list_files(settings.backup_secrets_directory):
            name = file.relative_to(settings.backup_secrets_directory).as_posix()
            files[f"secrets/{name}"] = _read(file)
    if settings.backup_settings_file is not None:
        files[SETTINGS_FILE] = _read(settings.backup_settings_file)
    if settings.sealing_key is not None:
        files[SEALING_KEY_FILE] = settings.sealing_key.get_secret_value().encode()
    if SEALING_KEY_FILE not in files:
        raise BackupFailed(
            "SEALING_KEY is not set, nor is there a file sealing_key in BACKUP_SECRETS_DIRECTORY:"
            " without it a restored database cannot open the secrets of its providers."
        )
    return files


def sealing_key(files: Files) -> str:
    """The key that opens the secrets in the database. Raises BackupFailed if it is not among the files."""
    if SEALING_KEY_FILE not in files:
        raise BackupFailed("The configuration has no sealing key.")
    return files[SEALING_KEY_FILE].decode(errors="replace").strip()


def pack(files: Files, now: datetime) -> bytes:
    """The files as a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(files[name]), 0o600, int(now.timestamp())
            tar.addfile(member, io.BytesIO(files[name]))
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of a tar that `pack` made. Raises BackupFailed for any other."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
            for member in tar:
                # Of a link the tar's own code would look for what it leads to.
                opened = tar.extractfile(member) if member.isreg() else None
                if opened is None or len(files) == FILES_MAX or len(member.name) > NAME_CHARACTERS_MAX:
                    raise BackupFailed("The configuration holds what no backup has put there.")
                files[member.name] = opened.read(FILE_BYTES_MAX)
    except tarfile.TarError as error:
        raise BackupFailed(f"The configuration cannot be read: {error}") from error
    return files


def write_out(files: Files, directory: Path) -> list[Path]:
    """Writes the files below `directory`, for their owner alone. Raises BackupFailed if one is there."""
    written = []
    for name in sorted(files):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise BackupFailed("The configuration names a file outside of its directory.")
        written.append(_write(directory / path, files[name]))
    return written


def _write(file: Path, content: bytes) -> Path:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(content)
    except FileExistsError:
        raise BackupFailed(f"{file} is there already and stays as it is.") from None
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}") from error
    return file


def _list_files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise BackupFailed(f"BACKUP_SECRETS_DIRECTORY is not there: {directory}")
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    if len(files) > FILES_MAX - 2:
        raise BackupFailed(f"BACKUP_SECRETS_DIRECTORY holds more than {FILES_MAX - 2} files: {directory}")
    return files


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise BackupFailed(f"{file} is larger than {FILE_BYTES_MAX} bytes: that is no secret.")
    return content
