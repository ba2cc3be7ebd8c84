"""What a state directory keeps beside its servers' data: secrets, ports, and a file for the shell.

Called by `runtime.stack` only. Files with secrets are ours alone (0600); nothing here prints one.
"""

import base64
import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runtime.ports import free_port, is_free

SECRETS_FILE = "secrets.json"
PORTS_FILE = "ports.json"
SHELL_FILE = "env"


@dataclass(frozen=True)
class Secrets:
    """Made once: tokens, sealed provider secrets and signed callbacks outlive a restart."""

    token_key: str = field(repr=False)
    sealing_key: str = field(repr=False)  # a Fernet key: 32 bytes, URL-safe base64
    provider_secret: str = field(repr=False)
    form_key: str = field(repr=False)
    staff_password: str = field(repr=False)
    link_key: str = field(repr=False)


def load_secrets(state_dir: Path) -> Secrets:
    """Those of this directory; each is made the first time that it is wanted."""
    file = state_dir / SECRETS_FILE
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    made = {
        "token_key": secrets.token_urlsafe(48),
        "sealing_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "provider_secret": secrets.token_urlsafe(24),
        "form_key": secrets.token_urlsafe(48),
        "staff_password": secrets.token_urlsafe(12),
        "link_key": secrets.token_urlsafe(48),
    }
    all_of_them = Secrets(**{**made, **kept})
    if kept.keys() != made.keys():
        write_private(file, json.dumps(asdict(all_of_them)))
    return all_of_them


def load_ports(state_dir: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name, the same as last time where it is still free.

    A payment page that was opened before a restart is then found again.
    """
    file = state_dir / PORTS_FILE
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    ports = {name: known[name] if name in known and is_free(known[name]) else free_port() for name in names}
    write_private(file, json.dumps(ports))
    return ports


def write_shell_file(state_dir: Path, variables: Mapping[str, str], directories: tuple[Path, ...]) -> Path:
    """`. FILE` in a shell gives these variables, and commands from these directories."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    places = ":".join(shlex.quote(str(directory)) for directory in directories)
    file = state_dir / SHELL_FILE
    write_private(file, "\n".join([*lines, f'export PATH={places}:"$PATH"', ""]))
    return file


def write_private(path: Path, content: str) -> None:
    """Whole or not at all, readable by us alone."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    unfinished.replace(path)
