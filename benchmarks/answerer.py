"""`python -m benchmarks.answerer`: answers every HTTP request at once with the same few bytes.

Started by `benchmarks.reads` to see what the load generator alone can do.
"""

import asyncio
import os
import signal
from typing import cast

import uvloop

from runtime.ports import LOOPBACK

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Answerer(asyncio.Protocol):
    """Takes each piece that comes for one whole request, as our generator sends them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    server = await loop.create_server(Answerer, LOOPBACK, port)
    await ending.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(int(os.environ["ANSWERER_PORT"])))
