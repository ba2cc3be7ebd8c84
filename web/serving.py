"""How a process answers HTTP: one uvicorn with the bounds that both APIs keep."""

from typing import Final

import uvicorn
from fastapi import FastAPI

HEADER_LIMIT_BYTES: Final = 16 * 1024
KEEP_ALIVE_SECONDS: Final = 15
# A request that waits longer than this when we stop is cut; its command is kept.
GRACE_SECONDS: Final = 10
CONNECTIONS_LIMIT: Final = 2_000


def serve(app: FastAPI, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT; requests in hand are answered first."""
    uvicorn.run(
        app,
        host=host,
        port=port,
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
