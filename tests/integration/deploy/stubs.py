"""What stands behind the gateway in its tests: an HTTP server that remembers, and a name server."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime.ports import LOOPBACK

PAGE = b"<p>" + b"billbus " * 1000


@dataclass(frozen=True)
class Seen:
    """A request as it reached the application."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)

    def header(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name.lower()]


class Upstream(ThreadingHTTPServer):
    """Answers everything with 200 and the headers that the application sets with each answer."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Answer)
        self.seen: list[Seen] = []

    @property
    def place(self) -> str:
        return f"{self.server_address[0]!s}:{self.server_port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    server: Upstream

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen(self.command, self.path, self.headers.items(), body))
        self.send_response(200)
        self.send_header("Content-Type", "text/css" if "/static/" in self.path else "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID", ""))
        self.end_headers()
        self.wfile.write(PAGE)

    do_GET = do_POST = _answer  # noqa: N815  # the names that http.server looks for

    def log_message(self, *_words: object) -> None:
        """Silent."""


@contextmanager
def open_upstream(host: str = LOOPBACK, port: int = 0) -> Iterator[Upstream]:
    """Serves in a thread until the block ends."""
    with Upstream(host, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


class Names:
    """A name server that gives `address` for whatever name it is asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))

    @property
    def place(self) -> str:
        return f"{LOOPBACK}:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        """Until it is sent something that is no question."""
        while True:
            asked, sender = self._socket.recvfrom(512)
            if len(asked) <= 12:
                break
            question = asked[12 : asked.index(0, 12) + 5]
            answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(self.address)
            head = asked[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
            self._socket.sendto(head + question + answer, sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
            bell.sendto(b"end", self._socket.getsockname())


@contextmanager
def open_names(address: str) -> Iterator[Names]:
    """Answers in a thread until the block ends."""
    names = Names(address)
    thread = threading.Thread(target=names.serve, daemon=True)
    thread.start()
    try:
        yield names
    finally:
        names.close()
        thread.join(10)
        names._socket.close()


def log_lines(log: str) -> list[dict[str, object]]:
    """The lines of the access log; those that nginx writes at its start are no JSON."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]
