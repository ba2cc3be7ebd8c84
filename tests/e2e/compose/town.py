"""The stack of docker-compose.yml from outside: its published addresses, its customers, staff and letters.

Used by the tests of this folder. People come through nginx over TLS and trust its own certificate.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TypeVar

import httpx
import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel

from cli.demo import DEMO_PROVIDER_ACCOUNT_ID
from demo.client import ApiClient, Json
from demo.expectations import StepFailed
from demo.story import ADMIN_API, API, STEPS, Story
from runtime.ports import LOOPBACK
from tests.compose.stack import NativeStack

OWNER = "owner@example.org"
TERMINAL = "demo-terminal"
STEP_SECONDS_MAX = 45.0
REQUEST_SECONDS_MAX = 15.0
CONNECT_SECONDS_MAX = 10
POLL_SECONDS = 0.1
SEEN_LENGTH_MAX = 500

Seen = TypeVar("Seen")


class Town:
    """`settings` are those of .env, `project` is where the secrets are."""

    def __init__(self, stack: NativeStack, project: Path, settings: Mapping[str, str]) -> None:
        self.stack = stack
        self.client_url = f"https://localhost:{settings['HTTPS_PORT']}"
        self.admin_url = f"https://localhost:{settings['ADMIN_PORT']}"
        self.http_url = f"http://localhost:{settings['HTTP_PORT']}"
        self.twin_url = f"http://localhost:{settings['TWIN_PORT']}"
        self.mailbox_url = f"http://localhost:{settings['MAILBOX_PORT']}"
        self._project = project
        certificate = stack.volume("certificates") / "self-signed" / "fullchain.pem"
        self.trusted = ssl.create_default_context(cafile=str(certificate))

    def secret(self, name: str) -> str:
        return (self._project / "secrets" / name).read_text().strip()

    @contextmanager
    def visit(self) -> Iterator["Visit"]:
        """A fresh customer, with staff beside."""
        with (
            ApiClient(self.client_url, self.trusted) as api,
            ApiClient(self.admin_url, self.trusted) as staff,
        ):
            password = self.secret("demo_staff_password")
            yield Visit(self, api, staff, Story(api, staff, self.twin_url, self.mailbox_url, OWNER, password))

    def browser(self) -> httpx.Client:
        """Without a session: whoever has a link."""
        return httpx.Client(
            verify=self.trusted, trust_env=False, timeout=REQUEST_SECONDS_MAX, follow_redirects=True
        )

    def tell_mailbox(self, *faults: Mapping[str, object]) -> None:
        """From now on it does these wrongs, and no others."""
        script = {"faults": list(faults)}
        httpx.post(f"{self.mailbox_url}/_mailbox/faults", json=script, trust_env=False).raise_for_status()

    def letters(self, email: str) -> list[Json]:
        """What this customer was sent, newest first."""
        answer = httpx.get(
            f"{self.mailbox_url}/_mailbox/messages", trust_env=False, timeout=REQUEST_SECONDS_MAX
        )
        found: list[Json] = answer.raise_for_status().json()
        return [one for one in found if email in one["to"]]

    def wait_for(self, look: Callable[[], Seen], holds: Callable[[Seen], bool], expected: str) -> Seen:
        """Fails with what was seen last, and with what the services complain of."""
        deadline = time.monotonic() + STEP_SECONDS_MAX
        while not holds(seen := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{expected}: {str(seen)[:SEEN_LENGTH_MAX]}\n{self.stack.complaints()}")
            time.sleep(POLL_SECONDS)
        return seen

    @contextmanager
    def broker(self, user: str) -> Iterator[BlockingChannel]:
        """As a user of the broker on the bus."""
        place = f"{LOOPBACK}:{self.stack.rabbit().amqp_port}"
        url = self.secret(f"{user}_amqp_url").replace("rabbitmq:5672", place)
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            yield connection.channel()

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """As the owner of the tables."""
        url = self.stack.postgres().url()
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []


class Visit:
    """One customer's story, a few steps at a time."""

    def __init__(self, town: Town, api: ApiClient, staff: ApiClient, story: Story) -> None:
        self._town = town
        self.api = api
        self.staff = staff
        self.story = story
        self._next = 0

    @property
    def email(self) -> str:
        return str(self.api.get(f"{API}/me")["email"])

    def sign_in_staff(self) -> None:
        credentials = {"email": OWNER, "password": self._town.secret("demo_staff_password")}
        answer = self.staff.post(f"{ADMIN_API}/sign-in", credentials, 200)
        self.staff.sign_in_with(answer["access_token"])

    def wait_for(self, holds: Callable[[], bool], expected: str) -> None:
        self._town.wait_for(holds, bool, expected)

    def play(self, last: str = "") -> None:
        """The next steps up to this title, all that are left without one. A failure tells who complained."""
        for title, step in STEPS[self._next :]:
            self._next += 1
            try:
                step(self.story, time.monotonic() + STEP_SECONDS_MAX)
            except StepFailed as failure:
                told = f"{title}: expected {failure.expected}, came {failure.came[:SEEN_LENGTH_MAX]}"
                raise AssertionError(f"{told}\n{self._town.stack.complaints()}") from failure
            if title == last:
                return


@contextmanager
def callbacks_through_gateway(town: Town) -> Iterator[None]:
    """The provider's callbacks come in by nginx.

    The twin believes no certificate of ours, so a hop of plain HTTP stands between; it changes nothing.
    """

    class Hop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            with town.browser() as client:
                answer = client.post(f"{town.client_url}{self.path}", content=body, headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer((LOOPBACK, 0), Hop) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        _tell_twin(town, f"http://{LOOPBACK}:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def _tell_twin(town: Town, url: str) -> None:
    base = f"{url}/callbacks/cloudpayments/{DEMO_PROVIDER_ACCOUNT_ID}"
    site = {
        "secret": town.secret("demo_provider_secret"),
        "is_test": True,
        "callbacks": {kind: f"{base}/{kind}" for kind in ("check", "pay", "fail", "refund")},
    }
    httpx.put(f"{town.twin_url}/_twin/sites/{TERMINAL}", json=site, trust_env=False).raise_for_status()
