"""What `./run` was told, by its command line and its environment, decided once.

Called by `runtime.stack` only. Starts and opens nothing.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runtime.stack_demo import libpq_url
from runtime.stack_services import ROOT

STATE_VARIABLE = "BILLBUS_STATE"
CLIENT_PORT = 8000
ADMIN_PORT = 8001


@dataclass(frozen=True)
class Options:
    """The command line and the environment, decided. None as a port: the usual one, or a free one."""

    once: bool
    on_rabbit: bool
    reset: bool
    port: int | None
    admin_port: int | None
    state_dir: Path
    database_url: str | None = field(repr=False)
    amqp_url: str | None = field(repr=False)

    @property
    def bus_sentence(self) -> str:
        """The first line of every run."""
        if not self.on_rabbit:
            return "Billbus on the embedded bus: PostgreSQL carries the messages, there is no broker."
        if self.amqp_url is None:
            return "Billbus on RabbitMQ: a private node."
        given = urlsplit(self.amqp_url)
        return f"Billbus on RabbitMQ: the broker of AMQP_URL at {given.hostname}:{given.port or 5672}."


def read_options(words: Sequence[str]) -> Options:
    """Ends the process with a sentence for what cannot be."""
    parser = argparse.ArgumentParser(
        prog="./run",
        description="Start Billbus with everything it needs, play its story once, and serve until Ctrl-C.",
        epilog="AMQP_URL and DATABASE_URL use servers that run already; BILLBUS_STATE names another .state.",
    )
    parser.add_argument("--once", action="store_true", help="end after the story; 0 only if every step held")
    parser.add_argument(
        "--bus", choices=("embedded", "rabbitmq"), help="default: rabbitmq if AMQP_URL is set, else embedded"
    )
    parser.add_argument("--reset", action="store_true", help="forget everything that was kept, then start")
    parser.add_argument("--port", type=int, help=f"of the client API; default {CLIENT_PORT}, or a free one")
    parser.add_argument(
        "--admin-port", type=int, help=f"of the managers' admin; default {ADMIN_PORT}, or a free one"
    )
    given = parser.parse_args(words)
    amqp_url, database_url = os.environ.get("AMQP_URL") or None, os.environ.get("DATABASE_URL") or None
    if given.reset and database_url:
        parser.error("--reset would not empty the database of DATABASE_URL: do that yourself, or unset it")
    for port in (given.port, given.admin_port):
        if port is not None and not 1 <= port <= 65535:
            parser.error(f"a port is 1 to 65535, not {port}")
    on_rabbit = given.bus == "rabbitmq" or (given.bus is None and amqp_url is not None)
    return Options(
        once=given.once,
        on_rabbit=on_rabbit,
        reset=given.reset,
        port=given.port,
        admin_port=given.admin_port,
        state_dir=Path(os.environ.get(STATE_VARIABLE) or ROOT / ".state").absolute(),
        database_url=libpq_url(database_url) if database_url else None,
        amqp_url=amqp_url if on_rabbit else None,
    )
