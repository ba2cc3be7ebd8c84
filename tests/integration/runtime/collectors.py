"""A collector of errors that keeps what it is sent: Sentry's envelopes and Hawk's events, over HTTP."""

import gzip
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runtime.ports import LOOPBACK

SETTLE_SECONDS_MAX = 10.0
HAWK_TOKEN = b64encode(b'{"integrationId":"5f1c","secret":"s"}').decode()


class Collector:
    """`bodies` are as they came, unpacked. Every answer takes `delay_seconds`, or until `end`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.delay_seconds = 0.0
        self.end = threading.Event()
        self.port = 0

    def settings(self, kind: str) -> dict[str, str]:
        """The variables that lead errors here."""
        if kind == "sentry":
            return {
                "ERROR_REPORTER": kind,
                "ERROR_REPORTER_TOKEN": f"http://public@{LOOPBACK}:{self.port}/7",
            }
        return {
            "ERROR_REPORTER": kind,
            "ERROR_REPORTER_TOKEN": HAWK_TOKEN,
            "ERROR_REPORTER_URL": f"http://{LOOPBACK}:{self.port}/",
        }

    def wait_for(self, count: int) -> list[bytes]:
        until = time.monotonic() + SETTLE_SECONDS_MAX
        while len(self.bodies) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.bodies) >= count
        return self.bodies


def sentry_events(bodies: list[bytes]) -> list[dict[str, Any]]:
    """The events in envelopes: a head, then a head and a body for each item."""
    events = []
    for body in bodies:
        _, *items = body.rstrip(b"\n").split(b"\n")
        for head, item in zip(items[::2], items[1::2], strict=True):
            assert json.loads(head)["type"] == "event"
            events.append(json.loads(item))
    return events


def hawk_events(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(body) for body in bodies]


@contextmanager
def collecting() -> Iterator[Collector]:
    """One that listens while the block lasts."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.bodies.append(body)
            collector.end.wait(collector.delay_seconds)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.end.set()
        server.shutdown()
        server.server_close()
        thread.join()
