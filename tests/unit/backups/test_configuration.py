"""What goes with the database, and how it comes out again."""

import io
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from backups import configuration
from backups.failures import BackupFailed
from runtime.settings import BackupSettings

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def _settings(**given: object) -> BackupSettings:
    return BackupSettings.model_construct(
        **{"backup_secrets_directory": None, "backup_settings_file": None, "sealing_key": None} | given  # type: ignore[arg-type]
    )


def test_secrets_settings_and_sealing_key_go_along(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "rabbit").mkdir(parents=True)
    (secrets / "token_key").write_bytes(b"token")
    (secrets / "rabbit" / "cron").write_bytes(b"hush")
    (tmp_path / ".env").write_bytes(b"MAIL_FROM=a@example.org")
    files = configuration.collect(
        _settings(
            backup_secrets_directory=secrets,
            backup_settings_file=tmp_path / ".env",
            sealing_key=SecretStr("sealed"),
        )
    )
    assert configuration.unpack(configuration.pack(files, NOW)) == {
        "secrets/token_key": b"token",
        "secrets/rabbit/cron": b"hush",
        "secrets/sealing_key": b"sealed",
        "settings.env": b"MAIL_FROM=a@example.org",
    }


def test_sealing_key_may_come_from_the_directory(tmp_path: Path) -> None:
    (tmp_path / "sealing_key").write_bytes(b"sealed\n")
    files = configuration.collect(_settings(backup_secrets_directory=tmp_path))
    assert configuration.sealing_key(files) == "sealed"


def test_nothing_is_backed_up_without_a_sealing_key(tmp_path: Path) -> None:
    (tmp_path / "token_key").write_bytes(b"token")
    with pytest.raises(BackupFailed, match="SEALING_KEY is not set"):
        configuration.collect(_settings(backup_secrets_directory=tmp_path))


def test_missing_directory_and_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="BACKUP_SECRETS_DIRECTORY is not there"):
        configuration.collect(_settings(backup_secrets_directory=tmp_path / "nowhere"))
    with pytest.raises(BackupFailed, match=r"\.env cannot be read: No such file"):
        configuration.collect(_settings(backup_settings_file=tmp_path / ".env"))


def test_file_too_large_for_a_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "core").write_bytes(bytes(configuration.FILE_BYTES_MAX + 1))
    with pytest.raises(BackupFailed, match="that is no secret"):
        configuration.collect(_settings(backup_secrets_directory=tmp_path))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(configuration.FILES_MAX):
        (tmp_path / str(number)).touch()
    with pytest.raises(BackupFailed, match="holds more than"):
        configuration.collect(_settings(backup_secrets_directory=tmp_path))


def test_files_come_out_for_their_owner_alone_and_over_nothing(tmp_path: Path) -> None:
    files = {"secrets/token_key": b"token", "settings.env": b"A=b"}
    configuration.write_out(files, tmp_path / "new")
    written = tmp_path / "new" / "secrets" / "token_key"
    assert written.read_bytes() == b"token"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    with pytest.raises(BackupFailed, match="is there already"):
        configuration.write_out(files, tmp_path / "new")


@pytest.mark.parametrize("name", ["../outside", "/outside", "//outside", "secrets/../../outside", "", "."])
def test_names_that_lead_outside_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(BackupFailed, match="outside of its directory"):
        configuration.write_out({name: b""}, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("leads_to", ["secrets", "nowhere"])
def test_what_no_backup_packs_is_not_unpacked(kind: bytes, leads_to: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("secrets")
        link.type, link.linkname = kind, leads_to
        tar.addfile(link)
    with pytest.raises(BackupFailed, match="what no backup has put there"):
        configuration.unpack(packed.getvalue())


def test_a_file_below_a_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="is there already"):
        configuration.write_out({"secrets": b"", "secrets/token_key": b""}, tmp_path)


def test_rubbish_is_a_sentence() -> None:
    with pytest.raises(BackupFailed, match="cannot be read"):
        configuration.unpack(b"rubbish" * 100)
