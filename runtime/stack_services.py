"""The processes of the run stack, as data: how each is called, how it is run, and when it serves.

Called by `runtime.stack`, and by tests that need the same processes. Starts nothing itself.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.ports import LOOPBACK
from runtime.stack_secrets import Secrets

ROOT = Path(__file__).resolve().parent.parent
TWIN_TERMINAL = "demo-terminal"
METRICS_VARIABLE = "METRICS_PORT"
# Of our own environment; anything else (proxies, a stray METRICS_PORT) would make two runs differ.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LOG_LEVEL", "PYTHONPATH", "SSL_CERT_FILE")
_KEPT_PREFIX = "PG"  # libpq's: a given DATABASE_URL may rely on them


@dataclass(frozen=True)
class Ground:
    """What all services stand on. `amqp_url` None = the embedded bus; `ports` by service name."""

    state_dir: Path
    database_url: str = field(repr=False)
    amqp_url: str | None = field(repr=False)
    secrets: Secrets
    ports: Mapping[str, int]

    @property
    def client_url(self) -> str:
        """Where customers come: the host is what names the demo studio."""
        return f"http://localhost:{self.ports['client_api']}"

    @property
    def admin_url(self) -> str:
        """Where managers come, at the same host."""
        return f"http://localhost:{self.ports['admin_api']}/admin/"

    @property
    def twin_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['twin']}"

    @property
    def mailbox_url(self) -> str:
        """Where one reads what customers were sent."""
        return f"http://{LOOPBACK}:{self.ports['mailbox']}"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"

    @property
    def celery_dir(self) -> Path:
        return self.state_dir / "celery"


@dataclass(frozen=True)
class Service:
    """One process: `words` after the interpreter, the whole environment.

    It serves when `ready_url` answers 200, or, without one, when its log holds `ready_words`.
    """

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready_url: str | None = None
    ready_words: str = ""
    ends_last: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, *self.words)


def base_environment() -> dict[str, str]:
    """What a child may know of our own environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIX)
    }


def bus_environment(ground: Ground) -> dict[str, str]:
    """The product's environment as far as every process shares it."""
    shared = base_environment() | {"DATABASE_URL": ground.database_url}
    return shared if ground.amqp_url is None else shared | {"AMQP_URL": ground.amqp_url}


def twin_service(state_dir: Path, port: int) -> Service:
    """The provider's twin. It knows nothing of the product, so it can start first."""
    return Service(
        "twin",
        ("-m", "sandbox.cloudpayments", "--port", str(port), "--state", str(state_dir / "twin")),
        base_environment(),
        ready_url=f"http://{LOOPBACK}:{port}/healthz",
    )


def mailbox_service(state_dir: Path, port: int, smtp_port: int) -> Service:
    """Takes every message that the product sends, and shows it. Knows nothing of the product either."""
    ports = ("--port", str(port), "--smtp-port", str(smtp_port))
    return Service(
        "mailbox",
        ("-m", "sandbox.mailbox", *ports, "--state", str(state_dir / "mailbox")),
        base_environment(),
        ready_url=f"http://{LOOPBACK}:{port}/healthz",
    )


def bootstrap_commands(ground: Ground) -> list[Service]:
    """What runs to its end before anything else; these do not wait for each other."""
    commands = [Service("schema", _billbus("db", "bootstrap"), bus_environment(ground))]
    if ground.amqp_url is not None:
        commands.append(
            Service("topology", _billbus("bus", "topology", "--declare"), bus_environment(ground))
        )
    return commands


def seed_command(ground: Ground) -> Service:
    """The demo studio with its provider account at the twin; runs to its end, beside the services."""
    return Service(
        "demo studio",
        _billbus(
            *("demo", "seed", "--public-id", TWIN_TERMINAL, "--api-url", ground.twin_url),
            *("--widget-script-url", f"{ground.twin_url}/bundles/cloudpayments.js"),
            *("--origin", ground.client_url),
        ),
        bus_environment(ground)
        | {
            "SEALING_KEY": ground.secrets.sealing_key,
            "DEMO_PROVIDER_SECRET": ground.secrets.provider_secret,
            "DEMO_STAFF_PASSWORD": ground.secrets.staff_password,
        },
    )


def product_services(ground: Ground) -> list[Service]:
    """Both APIs, consumers, relay, worker, beat, events and cron."""
    # On RabbitMQ two share the partitions, as in production; the embedded run spares the memory.
    consumer_count = 1 if ground.amqp_url is None else 2
    consumers = [_consumer(ground, index, consumer_count) for index in range(consumer_count)]
    return [
        *(_client_api(ground), _admin_api(ground), *consumers, _relay(ground), *_task_services(ground)),
        _counted(ground, "events", ("-m", "integrations"), bus_environment(ground)),
        _counted(ground, "cron", ("-m", "cron"), bus_environment(ground)),
    ]


def metrics_urls(ground: Ground) -> dict[str, str]:
    """Where each process counts, by its name."""
    ports = {one.name: one.environment.get(METRICS_VARIABLE) for one in product_services(ground)}
    counted = {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in ports.items() if port}
    apis = {name: f"http://{LOOPBACK}:{ground.ports[name]}/metrics" for name in ("client_api", "admin_api")}
    return {**apis, **counted}


def task_environment(ground: Ground) -> dict[str, str]:
    """Of those who send, run or schedule tasks. The worker's TMPDIR: it renames into its folders."""
    if ground.amqp_url is not None:
        return bus_environment(ground) | {"CELERY_BROKER_URL": ground.amqp_url}
    folder = ground.celery_dir
    return bus_environment(ground) | {"CELERY_FOLDER": str(folder), "TMPDIR": str(folder / "tmp")}


def _client_api(ground: Ground) -> Service:
    port = ground.ports["client_api"]
    own = {
        "CLIENT_API_HOST": LOOPBACK,
        "CLIENT_API_PORT": str(port),
        "TOKEN_KEY": ground.secrets.token_key,
        "SEALING_KEY": ground.secrets.sealing_key,
        "DEMO_SIGN_IN": "true",
        **_links(ground),
    }
    ready_url = f"http://{LOOPBACK}:{port}/healthz/ready"
    return Service("client_api", ("-m", "client_api"), bus_environment(ground) | own, ready_url)


def _admin_api(ground: Ground) -> Service:
    port = ground.ports["admin_api"]
    own = {
        "ADMIN_API_HOST": LOOPBACK,
        "ADMIN_API_PORT": str(port),
        "FORM_KEY": ground.secrets.form_key,
        "SEALING_KEY": ground.secrets.sealing_key,
        # Without TLS a browser would keep a secure cookie back.
        "SECURE_COOKIES": "false",
    }
    ready_url = f"http://{LOOPBACK}:{port}/healthz/ready"
    return Service("admin_api", ("-m", "admin_api"), bus_environment(ground) | own, ready_url)


def _consumer(ground: Ground, index: int, count: int) -> Service:
    name = f"billing_consumer.{index}"
    own = {"CONSUMER_INDEX": str(index), "CONSUMER_COUNT": str(count)}
    return _counted(ground, name, ("-m", "billing_consumer"), bus_environment(ground) | own)


def _relay(ground: Ground) -> Service:
    return _counted(ground, "state_updater", ("-m", "state_updater"), task_environment(ground))


def _task_services(ground: Ground) -> list[Service]:
    worker = task_environment(ground) | {"SEALING_KEY": ground.secrets.sealing_key}
    worker[METRICS_VARIABLE] = str(ground.ports["worker"])
    worker |= _links(ground) | {
        "SMTP_HOST": LOOPBACK,
        "SMTP_PORT": str(ground.ports["smtp"]),
        "SMTP_SECURITY": "none",
        "MAIL_FROM": "billing@example.org",
    }
    return [
        Service("worker", ("-m", "state_updater.tasks", "worker"), worker, ready_words=" ready."),
        # Celery's worker hears a signal only when its broker brings something: beat's next sweep does.
        Service(
            "beat",
            ("-m", "state_updater.tasks", "beat"),
            # Who watches the demo waits for its letters.
            task_environment(ground) | {"NOTIFY_EVERY_SECONDS": "1"},
            ready_words="beat begins",
            ends_last=True,
        ),
    ]


def _links(ground: Ground) -> dict[str, str]:
    """What signs the links in messages and checks them, and where they lead."""
    base_url = f"http://{{host}}:{ground.ports['client_api']}"
    return {"LINK_KEY": ground.secrets.link_key, "LINK_BASE_URL": base_url}


def _counted(ground: Ground, name: str, words: tuple[str, ...], environment: Mapping[str, str]) -> Service:
    """A process without HTTP of its own, but with metrics: where those are served, it has begun."""
    port = ground.ports[name]
    metrics = {METRICS_VARIABLE: str(port)}
    # The one path that is answered without collecting anything.
    return Service(name, words, {**environment, **metrics}, f"http://{LOOPBACK}:{port}/favicon.ico")


def _billbus(*words: str) -> tuple[str, ...]:
    return ("-m", "cli.main", *words)
