"""How a process answers HTTP: one uvicorn with the bounds that both APIs keep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from web.outlet import Outlet
from web.waiting import AppliedWaiter

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
