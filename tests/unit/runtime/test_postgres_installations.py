from pathlib import Path

import pytest

from runtime.postgres_installations import PostgresUnavailable, find_installations


def make_server(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Debian)'\n")
        (directory / name).chmod(0o755)
    return directory


def test_given_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUS_PG_BIN", str(make_server(tmp_path / "bin", "17.9")))
    first = find_installations()[0]
    assert (first.bin_dir, first.version, first.major) == (tmp_path / "bin", "17.9", 17)


def test_given_directory_without_a_server_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLBUS_PG_BIN", str(tmp_path))
    with pytest.raises(PostgresUnavailable, match="no PostgreSQL 15 or newer is there"):
        find_installations()


def test_server_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUS_PG_BIN", str(make_server(tmp_path / "bin", "14.20")))
    with pytest.raises(PostgresUnavailable):
        find_installations()
