"""`python -m client_api`: serves the API until SIGTERM or SIGINT; requests in hand are answered first."""

from functools import partial
from typing import Final

import uvicorn

from bus.transports import choose_bus
from client_api.app import ROLE, SERVICE, create_app
from runtime.logging import configure
from runtime.settings import ApiSettings, load_settings
from storage.database import connect_as

HEADER_LIMIT_BYTES: Final = 16 * 1024
KEEP_ALIVE_SECONDS: Final = 15
# A request that waits longer than this when we stop is cut; its command is kept.
GRACE_SECONDS: Final = 10
CONNECTIONS_LIMIT: Final = 2_000


def main() -> None:
    settings = load_settings(ApiSettings)
    configure(SERVICE, settings.log_level)
    database_url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    bus = choose_bus(amqp_url, partial(connect_as, database_url, ROLE, f"{SERVICE}-publisher"), SERVICE)
    uvicorn.run(
        create_app(settings, bus.command_publisher()),
        host=settings.client_api_host,
        port=settings.client_api_port,
        http="h11",
        h11_max_incomplete_event_size=HEADER_LIMIT_BYTES,
        limit_concurrency=CONNECTIONS_LIMIT,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        # Whoever connects is who asks; a gateway before us will say which addresses of its own to trust.
        proxy_headers=False,
        access_log=False,
        log_config=None,
    )


if __name__ == "__main__":
    main()
