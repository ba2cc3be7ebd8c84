"""Which RabbitMQ this machine has, and how to get one where there is none.

Called by `runtime.rabbitmq`, the run stack and the tests. Installs only from the distribution's own packages,
through apt; never starts a node.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runtime.apt import ASK_SECONDS_MAX, INSTALL_SECONDS_MAX, UPDATE_SECONDS_MAX, Progress, install, run

PACKAGE = "rabbitmq-server"
UNPACKED = "rabbit"
_SYSTEM_PATTERNS = (
    "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "opt/homebrew/opt/rabbitmq/sbin",
    "usr/local/opt/rabbitmq/sbin",
)
_ERLANG_DIRECTORIES = ("usr/bin", "usr/local/bin", "opt/homebrew/bin")


class RabbitUnavailable(Exception):
    """A private RabbitMQ node cannot be had or started; the message says what to do."""


@dataclass(frozen=True)
class RabbitInstallation:
    """Where the node's own scripts are (not /usr/sbin: that insists on another user), and Erlang's."""

    script_dir: Path
    erlang_dir: Path
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)


def find_installation(tools_dir: Path | None = None) -> RabbitInstallation | None:
    """The machine's RabbitMQ, else the one unpacked below `tools_dir`, else None."""
    found = [*_installations_below(Path("/"))]
    if tools_dir is not None:
        found += _unpacked(tools_dir / UNPACKED)
    return found[0] if found else None


def ensure_installation(tools_dir: Path, progress: Progress) -> RabbitInstallation:
    """Finds RabbitMQ, else installs it with apt as root or by `sudo -n`, else unpacks its packages.

    `progress` is told in short sentences what is being done. Raises RabbitUnavailable.
    """
    found = find_installation(tools_dir)
    if found is None and shutil.which("apt-get"):
        install([PACKAGE], progress)
        found = find_installation(tools_dir)
        if found is None and shutil.which("dpkg"):
            _unpack(tools_dir, progress)
            found = find_installation(tools_dir)
    if found is None:
        raise RabbitUnavailable(
            "RabbitMQ is not here and could not be installed: install the package rabbitmq-server"
            " (apt, dnf) or rabbitmq (brew), or give a running one in AMQP_URL."
        )
    return found


def _installations_below(root: Path) -> Iterator[RabbitInstallation]:
    scripts = [path for pattern in _SYSTEM_PATTERNS for path in sorted(root.glob(pattern), reverse=True)]
    erlang = [root / name for name in _ERLANG_DIRECTORIES if (root / name / "erl").exists()]
    for directory in scripts:
        if (directory / "rabbitmq-server").is_file() and erlang:
            version = re.search(r"(\d+\.\d+\.\d+)", str(directory.resolve()))
            yield RabbitInstallation(directory, erlang[0], version[1] if version else "unknown")


def _unpacked(root: Path) -> Iterator[RabbitInstallation]:
    libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu*")))
    for installation in _installations_below(root):
        erlang_dir = root / "usr/lib/erlang/bin"
        environment = {"LD_LIBRARY_PATH": libraries} if libraries else {}
        yield RabbitInstallation(installation.script_dir, erlang_dir, installation.version, environment)


def _unpack(tools_dir: Path, progress: Progress) -> None:
    """Downloads the packages and unpacks them; needs no rights."""
    progress("unpacking rabbitmq-server's packages without installing them")
    downloads = tools_dir.absolute() / "apt"
    if not _download(downloads):
        progress("apt-get could not download them")
        return
    unfinished, final = tools_dir / f"{UNPACKED}.unfinished", tools_dir.absolute() / UNPACKED
    shutil.rmtree(unfinished, ignore_errors=True)
    for archive in sorted(downloads.glob("*.deb")):
        run(["dpkg", "-x", str(archive), str(unfinished)], INSTALL_SECONDS_MAX)
    _relocate_erlang(unfinished, final)
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    shutil.rmtree(downloads)


def _download(downloads: Path) -> bool:
    """With the machine's package lists, else with lists of our own: those may be absent or out of date."""
    shutil.rmtree(downloads, ignore_errors=True)
    for directory in (downloads / "lists/partial", downloads / "archives/partial"):
        directory.mkdir(parents=True)
    own_lists = ["-o", f"Dir::State::Lists={downloads}/lists", "-o", f"Dir::Cache={downloads}"]
    for options in ([], own_lists):
        if options:
            run(["apt-get", *options, "update"], UPDATE_SECONDS_MAX)
        names = _packages_to_unpack(options)
        download = ["apt-get", *options, "download", *names]
        if names and run(download, INSTALL_SECONDS_MAX, cwd=downloads).returncode == 0:
            return True
    return False


def _packages_to_unpack(options: Sequence[str]) -> list[str]:
    """RabbitMQ, all of Erlang that it needs, and the libraries of these that are not installed."""
    leave_out = ["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"]
    question = ["apt-cache", *options, "depends", "--recurse", *leave_out, "--no-enhances", PACKAGE]
    lines = run(question, ASK_SECONDS_MAX).stdout.splitlines()
    names = sorted({line for line in lines if re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(:\w+)?", line)})
    ours = [name for name in names if name == PACKAGE or name.startswith("erlang-")]
    libraries = [name for name in names if name.startswith("lib") and not _is_installed(name)]
    return [*ours, *libraries]


def _is_installed(package: str) -> bool:
    answer = run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], ASK_SECONDS_MAX)
    return answer.stdout.startswith("installed")


def _relocate_erlang(unpacked: Path, final: Path) -> None:
    for script in (*unpacked.glob("usr/lib/erlang/bin/*"), *unpacked.glob("usr/lib/erlang/erts-*/bin/*")):
        if (
            script.is_file()
            and not script.is_symlink()
            and (content := script.read_bytes()).startswith(b"#!")
        ):
            script.write_bytes(content.replace(b"/usr/lib/erlang", os.fsencode(final / "usr/lib/erlang")))
