"""A project directory as an operator has it: the compose file, its folders, `.env` and secrets, all private.

Called by end-to-end tests. Secrets are made by deploy/make_secrets.py; `.env` begins as `.env.example` does.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from runtime.ports import free_port
from runtime.stack_services import ROOT

MAKE_SECONDS_MAX = 30.0
# Published to the host, by the variable that says where.
_PUBLISHED = (
    *("HTTP_PORT", "HTTPS_PORT", "ADMIN_PORT", "RABBITMQ_CONSOLE_PORT"),
    *("MAILBOX_PORT", "TWIN_PORT"),
)


def make_project(directory: Path, **settings: str) -> Mapping[str, str]:
    """Fills an empty directory, and answers what its .env says beyond the example: free ports, the profile
    `dev`, and `settings`."""
    shutil.copyfile(ROOT / "docker-compose.yml", directory / "docker-compose.yml")
    for folder in ("nginx", "deploy"):
        (directory / folder).symlink_to(ROOT / folder)
    ports = {name: str(free_port()) for name in _PUBLISHED}
    given = {
        **ports,
        "COMPOSE_PROFILES": "dev",
        "GATEWAY_HTTPS_SUFFIX": f":{ports['HTTPS_PORT']}",
        "LINK_BASE_URL": f"https://{{host}}:{ports['HTTPS_PORT']}",
        **settings,
    }
    lines = [f"{name}={value}" for name, value in given.items()]
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (directory / ".env").write_text("\n".join([example, *lines, ""]), encoding="utf-8")
    command = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), str(directory / "secrets")]
    subprocess.run(command, check=True, capture_output=True, timeout=MAKE_SECONDS_MAX)
    return given
