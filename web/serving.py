"""How a process answers HTTP: one uvicorn with the bounds that both APIs keep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from bus.outlet import Outlet
from web.waiting import AppliedWaiter

HEADER_LIMIT_BYTES: Final = 16 * 1024
KEEP_ALIVE_SECONDS: Final = 15
# A request that waits longer than this when we stop is cut; its command is kept.
GRACE_SECONDS: Final = 10
CONNECTIONS_LIMIT: Final = 2_000


def serve(app: FastAPI, host: str, port: int, trusted_proxies: str = "") -> None:
    """Until SIGTERM or SIGINT; requests in hand are answered first.

    `trusted_proxies` as in the settings: whoever connects from there says from which address and by which
    scheme somebody came to it. Of anybody else such headers are not read.
    """
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
        # Without this uvicorn trusts the loopback and a variable of its own.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        access_log=False,
        log_config=None,
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Starts what waits for answers; at the end closes what the application owns: waiter, outlet, engines."""
    waiter: AppliedWaiter = app.state.waiter
    outlet: Outlet = app.state.outlet
    engines: tuple[Engine, ...] = app.state.engines
    waiter.start()
    try:
        yield
    finally:
        await waiter.stop()
        outlet.close()
        for engine in engines:
            engine.dispose()
