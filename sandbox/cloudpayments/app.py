"""Puts the twin together: books, courier, and the three sides of its HTTP server. Called by `__main__`."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import FastAPI

from sandbox.cloudpayments.api import Api
from sandbox.cloudpayments.books import Books
from sandbox.cloudpayments.cashier import Cashier
from sandbox.cloudpayments.control import control_router
from sandbox.cloudpayments.courier import Courier
from sandbox.cloudpayments.operations import Desk
from sandbox.cloudpayments.pages import Pages

# Above the provider's cap of calls in flight, so that the cap answers and not a queue for threads.
THREADS: Final = 100


def create_app(
    directory: Path, public_url: str, retry_gaps_seconds: Sequence[float], callback_timeout_seconds: float
) -> FastAPI:
    """Build the server over the ledger in `directory`; `public_url` is where a payer's browser reaches it."""
    books = Books(directory)
    courier = Courier(books, time.time, retry_gaps_seconds, callback_timeout_seconds)
    desk = Desk(books, courier, time.time, public_url.rstrip("/"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        courier.start()
        yield
        courier.stop()
        books.close()

    app = FastAPI(title="CloudPayments twin", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.routes.extend([*Api(desk).routes(), *Pages(desk, Cashier(desk)).routes()])
    app.include_router(control_router(desk))
    return app
