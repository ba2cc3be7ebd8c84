"""The compose file as the real Compose reads it, and a gateway with its environment."""

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.make_certificate import CERTIFICATE, KEY, ensure_certificate
from tests.gateway import NGINX, Gateway, running_gateway
from tests.integration.deploy.stubs import Upstream, open_upstream
from tests.servers import open_directory

ROOT = Path(__file__).resolve().parents[3]
Compose = Callable[..., "subprocess.CompletedProcess[str]"]
GatewayMaker = Callable[..., Gateway]


@pytest.fixture(scope="session")
def compose() -> Compose:
    """`docker-compose …` on our file, in an environment of nothing but `variables`."""

    def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        program = Path(sys.executable).parent / "docker-compose"
        return subprocess.run(
            [
                program,
                "--project-directory",
                ROOT,
                "--file",
                ROOT / "docker-compose.yml",
                *_no_env_file(),
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.defpath, "HOME": "/nonexistent", **variables},
        )

    return run


def _no_env_file() -> list[str]:
    """A developer's own .env is not what is tested."""
    return ["--env-file", os.devnull]


@pytest.fixture(scope="session")
def stack(compose: Compose) -> dict[str, Any]:
    """The whole file, all profiles, nothing set."""
    done = compose("--profile", "*", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@pytest.fixture(scope="session")
def certificate() -> Iterator[Path]:
    with open_directory() as place:
        ensure_certificate(place, ["localhost", "studio.example.org"], datetime.now(UTC))
        yield place


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@pytest.fixture
def client_api() -> Iterator[Upstream]:
    with open_upstream() as upstream:
        yield upstream


@pytest.fixture
def admin_api() -> Iterator[Upstream]:
    with open_upstream() as upstream:
        yield upstream


@pytest.fixture
def start_gateway(
    stack: dict[str, Any], place: Path, certificate: Path, client_api: Upstream, admin_api: Upstream
) -> Iterator[GatewayMaker]:
    """A gateway before both stubs; `access` is a folder, the rest are variables."""
    (place / "acme").mkdir()
    own = {
        "GATEWAY_CLIENT_API": client_api.place,
        "GATEWAY_ADMIN_API": admin_api.place,
        "GATEWAY_RESOLVER": "127.0.0.1",
        "GATEWAY_CERTIFICATE": str(certificate / CERTIFICATE),
        "GATEWAY_CERTIFICATE_KEY": str(certificate / KEY),
        "GATEWAY_ACME": str(place / "acme"),
    }
    with ExitStack() as running:

        def start(access: Path | None = None, **variables: str) -> Gateway:
            environment = {**stack["services"]["nginx"]["environment"], **own, **variables}
            nginx = place / "nginx"
            nginx.mkdir()
            opened: AbstractContextManager[Gateway] = (
                running_gateway(nginx, environment)
                if access is None
                else running_gateway(nginx, environment, access)
            )
            return running.enter_context(opened)

        yield start


@pytest.fixture
def gateway(start_gateway: GatewayMaker) -> Gateway:
    return start_gateway()


@pytest.fixture
def browser(certificate: Path) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=certificate / "fullchain.pem")
    with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def access(place: Path) -> Callable[[str, str], Path]:
    """A folder like nginx/access, in which one file says something."""

    def make(name: str, words: str) -> Path:
        folder = place / "own"
        shutil.copytree(NGINX / "access", folder)
        (folder / name).write_text(words)
        return folder

    return make
