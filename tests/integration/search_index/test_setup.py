"""The set-up against servers that keep what they are given: real requests over HTTP, from the real files."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runtime.ports import LOOPBACK
from tests.unit.integrations.search_index.files import saved_objects, template

SETTLE_SECONDS_MAX = 60
# Of no index at the first time, and of none that is closed.
MAPPINGS = "/billing-events-*/_mapping?allow_no_indices=true&ignore_unavailable=true"


class Server:
    """Either server: what it was given by method and path, and what it answers."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, dict[str, str], bytes]] = []
        self.levels = ["degraded", "available"]
        self.imported: dict[str, Any] = {"success": True, "successCount": 25}
        self.put_status = 200

    def answer(self, method: str, path: str) -> tuple[int, object]:
        if path == "/api/status":
            level = self.levels.pop(0) if len(self.levels) > 1 else self.levels[0]
            return (200 if level == "available" else 503), {"status": {"overall": {"level": level}}}
        if path.startswith("/api/saved_objects/"):
            return 200, self.imported
        return (self.put_status if method == "PUT" else 200), {"acknowledged": True}

    def paths(self, method: str) -> list[str]:
        return [path for its, path, _, _ in self.given if its == method]


@contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.given.append((self.command, self.path, headers, body))
            status, said = server.answer(self.command, self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    for method in ("PUT", "POST"):
        setattr(Handler, f"do_{method}", Handler.do_GET)
    http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{LOOPBACK}:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def elasticsearch() -> Server:
    return Server()


@pytest.fixture
def kibana() -> Server:
    return Server()


@pytest.fixture
def addresses(elasticsearch: Server, kibana: Server) -> Iterator[tuple[str, str]]:
    with serving(elasticsearch) as one, serving(kibana) as other:
        yield one, other


def run(addresses: tuple[str, str], *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    elasticsearch, kibana = addresses
    return subprocess.run(
        [sys.executable, "-m", "integrations.search_index.setup", *options],
        env={
            **os.environ,
            "ELASTICSEARCH_URL": f"http://elastic:p%40w@{elasticsearch}",
            "KIBANA_URL": f"http://{kibana}",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=SETTLE_SECONDS_MAX,
        check=False,
    )


def test_policies_come_before_the_templates_that_name_them(
    elasticsearch: Server, addresses: tuple[str, str]
) -> None:
    assert run(addresses).returncode == 0
    assert elasticsearch.paths("PUT") == [
        "/_ilm/policy/billing-events",
        "/_ilm/policy/logs-billbus",
        "/_index_template/billing-events",
        "/_index_template/logs-billbus",
        MAPPINGS,
    ]
    bodies = {path: json.loads(body) for method, path, _, body in elasticsearch.given if method == "PUT"}
    assert bodies[MAPPINGS] == template("billing-events")["template"]["mappings"]
    for name in ("billing-events", "logs-billbus"):
        assert bodies[f"/_index_template/{name}"] == template(name)
        policy = template(name)["template"]["settings"]["index"]["lifecycle"]["name"]
        assert "delete" in bodies[f"/_ilm/policy/{policy}"]["policy"]["phases"]
    expected = "Basic " + base64.b64encode(b"elastic:p@w").decode()
    assert {headers["authorization"] for _, _, headers, _ in elasticsearch.given} == {expected}


def test_kibana_is_waited_for_and_given_every_object_over_its_old_ones(
    kibana: Server, addresses: tuple[str, str]
) -> None:
    assert run(addresses).returncode == 0
    assert kibana.paths("GET") == ["/api/status", "/api/status"]
    ((_, path, headers, body),) = [one for one in kibana.given if one[0] == "POST"]
    assert path == "/api/saved_objects/_import?overwrite=true"
    assert headers["kbn-xsrf"] == "true"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"elastic:p@w").decode()
    form = message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body)
    (part,) = [one for one in form.walk() if not one.is_multipart()]
    assert part.get_filename() == "billbus.ndjson"
    objects = part.get_payload(decode=True)
    assert isinstance(objects, bytes)
    lines = [json.loads(line) for line in objects.splitlines()]
    assert sorted(one["id"] for one in lines) == sorted(one["id"] for _, one in saved_objects())


def test_it_may_be_run_again(elasticsearch: Server, kibana: Server, addresses: tuple[str, str]) -> None:
    first, kibana.levels = run(addresses), ["available"]
    before = [(method, path, body) for method, path, _, body in elasticsearch.given]
    elasticsearch.given.clear()
    assert (first.returncode, run(addresses).returncode) == (0, 0)
    assert [(method, path, body) for method, path, _, body in elasticsearch.given] == before
    assert len(kibana.paths("POST")) == 2


def test_kibana_s_own_user_is_given_its_password_and_nothing_tells_it(
    elasticsearch: Server, addresses: tuple[str, str]
) -> None:
    done = run(addresses, KIBANA_PASSWORD="k-secret-1")
    assert done.returncode == 0
    ((_, path, _, body),) = [one for one in elasticsearch.given if one[0] == "POST"]
    assert path == "/_security/user/kibana_system/_password"
    assert json.loads(body) == {"password": "k-secret-1"}
    assert "k-secret-1" not in done.stdout + done.stderr
    assert "p@w" not in done.stdout + done.stderr
    assert "p%40w" not in done.stdout + done.stderr


def test_a_key_is_used_instead_of_the_user(elasticsearch: Server, addresses: tuple[str, str]) -> None:
    assert run(addresses, ELASTICSEARCH_API_KEY="a-key").returncode == 0
    assert {headers["authorization"] for _, _, headers, _ in elasticsearch.given} == {"ApiKey a-key"}


def test_without_kibana_elasticsearch_is_set_up_alone(
    elasticsearch: Server, kibana: Server, addresses: tuple[str, str]
) -> None:
    assert run(addresses, KIBANA_URL="").returncode == 0
    assert len(elasticsearch.paths("PUT")) == 5
    assert kibana.given == []


def test_options_are_taken_instead_of_the_environment(
    elasticsearch: Server, kibana: Server, addresses: tuple[str, str]
) -> None:
    options = ["--elasticsearch", f"http://{addresses[0]}", "--kibana", f"http://{addresses[1]}"]
    assert run(addresses, *options, ELASTICSEARCH_URL="", KIBANA_URL="").returncode == 0
    assert "authorization" not in elasticsearch.given[0][2]
    assert kibana.paths("POST")


@pytest.mark.parametrize("case", ["kibana_refuses", "elasticsearch_refuses", "never_ready", "no_files"])
def test_a_server_that_does_not_take_it_fails_the_run_with_a_sentence(
    case: str, elasticsearch: Server, kibana: Server, addresses: tuple[str, str], tmp_path: Path
) -> None:
    kibana.imported |= {"success": case != "kibana_refuses", "errors": [{"error": {"type": "conflict"}}]}
    elasticsearch.put_status = 400 if case == "elasticsearch_refuses" else 200
    kibana.levels = ["unavailable" if case == "never_ready" else "available"]
    files = ["--files", str(tmp_path)] if case == "no_files" else []
    done = run(addresses, "--wait-seconds", "1", *files)
    assert done.returncode == 1
    (line,) = [one for one in map(json.loads, done.stdout.splitlines()) if one["log.level"] == "error"]
    assert line["message"] == "search index is not set up"
    assert "Traceback" not in done.stderr
    assert "p@w" not in done.stdout


def test_it_says_which_variable_is_missing(addresses: tuple[str, str]) -> None:
    done = run(addresses, ELASTICSEARCH_URL="")
    assert done.returncode == 1
    assert done.stderr == "billbus: ELASTICSEARCH_URL: is missing\n"
