"""The application behind a real uvicorn on a free loopback port, in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import uvicorn
from fastapi import FastAPI

from web.serving import HEADER_LIMIT_BYTES

START_SECONDS_MAX = 15.0


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The base URL while the block runs."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        proxy_headers=False,
        http="h11",
        h11_max_incomplete_event_size=HEADER_LIMIT_BYTES,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = monotonic() + START_SECONDS_MAX
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert monotonic() < deadline, "the server takes too long to start"
            sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
