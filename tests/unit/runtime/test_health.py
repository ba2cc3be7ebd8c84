"""The health check of containers says yes, or no with a reason."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from runtime.health import problem_of
from runtime.ports import LOOPBACK, free_port


class Answerer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_words: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    """Answers with the status that its path names."""
    with HTTPServer((LOOPBACK, 0), Answerer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


def test_success_is_healthy_and_whatever_else_is_not(url: str) -> None:
    assert problem_of(f"{url}/200") is None
    assert problem_of(f"{url}/204") is None
    assert problem_of(f"{url}/503") == f"{url}/503 answers 503"


def test_nobody_and_nonsense_are_problems() -> None:
    assert "does not answer" in str(problem_of(f"http://{LOOPBACK}:{free_port()}/"))
    assert "does not answer" in str(problem_of("healthz"))


def test_exit_code_and_sentence_are_what_a_container_sees(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{LOOPBACK}:{free_port()}")
    assert _check(f"{url}/200") == (0, "")
    assert _check(f"{url}/500") == (1, f"billbus: {url}/500 answers 500\n")
    assert _check()[0] == 2


def _check(*words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "runtime.health", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr
