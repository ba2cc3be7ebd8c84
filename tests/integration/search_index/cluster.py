"""A server that answers as Elasticsearch does to what the indexer asks, and as it does on its bad days.

What a page of requests is to meet is said by `script`: one answer per bulk request, in order; after that the
cluster is well. It keeps every byte it was sent, and its documents.
"""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from runtime.ports import LOOPBACK


@dataclass
class Status:
    """The whole request is answered so."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error":{"type":"circuit_breaking_exception","reason":"no"},"status":0}'


@dataclass
class Reset:
    """The connection is reset: with `is_taken` after everything was stored, else before anything was."""

    is_taken: bool


@dataclass
class Items:
    """Single items are answered so, by position; the others are stored."""

    errors: dict[int, tuple[int, str]]
    # So many of the answers are left out.
    cut: int = 0


@dataclass
class Slow:
    """It answers after so long, and has stored everything by then."""

    seconds: float


Behavior = Status | Reset | Items | Slow
# A document may be refused for what it is.
Refuses = Callable[[dict[str, Any]], bool]


class Cluster:
    """`documents` by (index, id); `bulks` are the bodies as they came; `asked` are method and path of all."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.bulks: list[bytes] = []
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.script: deque[Behavior] = deque()
        self.has_template = True
        self.bytes_max: int | None = None
        self.refuses: Refuses = lambda _: False
        self.created: list[str] = []

    def store(self, body: bytes, behavior: Items) -> dict[str, Any]:
        lines = [json.loads(line) for line in body.split(b"\n")[:-1]]
        items = []
        for position, (action, document) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            (kind, meta), *_ = action.items()
            assert kind == "create"
            items.append({"create": self._item(meta, document, behavior.errors.get(position))})
        return {"took": 1, "errors": False, "items": items[: len(items) - behavior.cut]}

    def _item(
        self, meta: dict[str, str], document: dict[str, Any], error: tuple[int, str] | None
    ) -> dict[str, Any]:
        key = (meta["_index"], meta["_id"])
        if error is None and key in self.documents:
            error = (409, "version_conflict_engine_exception")
        elif error is None and self.refuses(document):
            error = (400, "document_parsing_exception")
        if error is not None:
            status, kind = error
            return {**meta, "status": status, "error": {"type": kind, "reason": f"of {meta['_id']}"}}
        self.documents[key] = document
        self.created.append(meta["_id"])
        return {**meta, "status": 201, "result": "created"}


@contextmanager
def serving(cluster: Cluster) -> Iterator[str]:
    """Its URL, while the block lasts. After the block nobody listens there."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(cluster))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._note()
            self._answer(200 if cluster.has_template else 404)

        def do_PUT(self) -> None:
            self._note()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = urlsplit(self.path).path
            assert path == "/_bulk"
            cluster.bulks.append(body)
            if cluster.bytes_max is not None and len(body) > cluster.bytes_max:
                self._answer(413)
                return
            behavior = cluster.script.popleft() if cluster.script else Items({})
            if isinstance(behavior, Status):
                self._answer(behavior.status, behavior.headers, behavior.body)
            elif isinstance(behavior, Reset):
                if behavior.is_taken:
                    cluster.store(body, Items({}))
                self._reset()
            elif isinstance(behavior, Slow):
                stored = cluster.store(body, Items({}))
                time.sleep(behavior.seconds)
                self._answer(200, {}, json.dumps(stored))
            else:
                self._answer(200, {}, json.dumps(cluster.store(body, behavior)))

        def _note(self) -> None:
            cluster.asked.append((self.command, self.path))
            cluster.headers.append({name.lower(): value for name, value in self.headers.items()})

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def _answer(self, status: int, headers: dict[str, str] | None = None, body: str = "") -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    return Handler
