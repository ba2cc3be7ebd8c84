"""A real twin per run on a private port, and a shop that answers its callbacks as a test wishes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from providers.cloudpayments.callbacks import read_callback
from providers.cloudpayments.client import CloudPaymentsClient
from providers.port import Callback, CallbackKind, PaymentRequest, ProviderAccount, RefundRequest

ROOT = Path(__file__).parents[3]
START_LIMIT_SECONDS = 30.0
SETTLE_LIMIT_SECONDS = 10.0


def until(happened: Callable[[], object], what: str) -> None:
    """Wait a bounded time for something that another process does."""
    deadline = time.monotonic() + SETTLE_LIMIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Twin:
    """A twin process; `kill` is kill -9, and it can be started again on the same state."""

    state: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "sandbox.cloudpayments", "--port", str(self.port)]
        command += ["--state", str(self.state), "--retry-gaps", "0.05,0.1", "--callback-timeout", "5"]
        self.process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the twin ended at its start"
            try:
                httpx.get(f"{self.url}/healthz", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the twin does not answer")

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=15)

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, trust_env=False, timeout=30, **arguments)

    def ledger(self, public_id: str) -> dict[str, list[dict[str, Any]]]:
        """Give the books of one site, and every violation."""
        books = self.send("GET", "/_twin/ledger").json()
        violations = books.pop("violations")
        faults = books.pop("faults")
        own = {name: [row for row in rows if row["public_id"] == public_id] for name, rows in books.items()}
        return own | {"violations": violations, "faults": faults}

    def script(self, *faults: dict[str, Any]) -> None:
        self.send("POST", "/_twin/faults", json={"faults": faults}).raise_for_status()


@dataclass
class Heard:
    kind: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Shop:
    """Listens to callbacks. `answers[kind]` is a queue of (status, body); an empty one means code 0."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def kinds(self) -> list[str]:
        return [item.kind for item in self.heard]


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Listen on a private port until the block ends."""
    listener = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind = self.path.strip("/")
            listener.heard.append(Heard(kind, dict(self.headers.items()), body))
            queue = listener.answers.get(kind, [])
            status, answer = queue.pop(0) if queue else (200, b'{"code":0}')
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield listener
        server.shutdown()
        thread.join()


@dataclass
class Terminal:
    """A site at a twin, the shop it calls, and the adapter under test."""

    twin: Twin
    shop: Shop
    account: ProviderAccount
    client: CloudPaymentsClient

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        return self.twin.ledger(self.account.public_id)

    def press(self, url: str | None, button: str = "pay") -> httpx.Response:
        assert url is not None
        return httpx.post(f"{url}/{button}", trust_env=False, timeout=30)

    def read(self, heard: Heard) -> Callback:
        return read_callback(self.account, CallbackKind(heard.kind), heard.headers, heard.body)


def open_terminal(twin: Twin, shop: Shop, body_format: str = "form", is_test: bool = True) -> Terminal:
    public_id = f"pk_{uuid.uuid4().hex}"
    callbacks = {kind: f"{shop.url}/{kind}" for kind in ("check", "pay", "fail", "refund")}
    site = {"secret": "s3cret", "is_test": is_test, "format": body_format, "callbacks": callbacks}
    twin.send("PUT", f"/_twin/sites/{public_id}", json=site).raise_for_status()
    account = ProviderAccount(
        account_id=uuid.uuid4(),
        provider="cloudpayments",
        public_id=public_id,
        secret="s3cret",
        api_url=twin.url,
        widget_script_url=f"{twin.url}/bundles/cloudpayments.js",
        is_test=is_test,
    )
    return Terminal(twin, shop, account, CloudPaymentsClient(account, answer_timeout_seconds=5))


def refund_of(payment: PaymentRequest, transaction_id: str | None, amount_minor: int) -> RefundRequest:
    assert transaction_id is not None
    return RefundRequest(
        refund_id=uuid.uuid4(),
        request_id=str(uuid.uuid4()),
        attempt_id=payment.attempt_id,
        transaction_id=transaction_id,
        amount_minor=amount_minor,
        currency=payment.currency,
    )
