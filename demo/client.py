"""The client API as the demo uses it: bearer token, idempotency keys, and the way of a command.

Called by the story. Knows the API's manners (202 and Location, Prefer, problems), not its resources.
"""

import ssl
import time
import uuid
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from demo.expectations import StepFailed, expect, wait_for

REQUEST_SECONDS_MAX = 15.0
WAIT_SECONDS = 10

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An applied command: `seen` tells how we learned of it, `resource` what it made."""

    seen: str
    resource: Json


@dataclass(frozen=True)
class Problem:
    """A refused command: the problem's code and facts."""

    code: str
    facts: Json = field(default_factory=dict)


class ApiClient:
    """One customer's connection; `trusted` says whose certificates are believed, if not the usual ones."""

    def __init__(self, url: str, trusted: ssl.SSLContext | None = None) -> None:
        # The machine's proxies are for other places than the studio's own address.
        self._http = httpx.Client(
            base_url=url, timeout=REQUEST_SECONDS_MAX, trust_env=False, verify=trusted or True
        )
        self._own_headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def sign_in_with(self, access_token: str) -> None:
        """From now on requests are this customer's."""
        self._own_headers = {"Authorization": f"Bearer {access_token}"}

    def another(self) -> "ApiClient":
        """Somebody else at the same API, over the same connections; they end with this one's."""
        other = copy(self)
        other._own_headers = {}
        return other

    def get(self, path: str) -> Json:
        """Raises StepFailed unless it is 200."""
        return self._json(self._send("GET", path), 200)

    def post(self, path: str, body: Mapping[str, object], status: int) -> Json:
        """For what is no command. Raises StepFailed unless the answer has this status."""
        return self._json(self._send("POST", path, body), status)

    def command(self, path: str, body: Mapping[str, object] | None, deadline: float) -> Answer:
        """Sends a command under a key of its own and waits until it is applied. Raises StepFailed."""
        answer = self.try_command(path, body, deadline)
        if isinstance(answer, Problem):
            raise StepFailed(f"POST {path}: applied", str(answer))
        return answer

    def try_command(self, path: str, body: Mapping[str, object] | None, deadline: float) -> Answer | Problem:
        """The same for a command that may be refused. Raises StepFailed when it is neither."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": f"wait={WAIT_SECONDS}"}
        answer = self._send("POST", path, body, headers)
        if answer.status_code != 202:
            return _decided(answer, "applied")
        location = answer.headers["Location"]
        wait_for(
            lambda: self.get(location),
            lambda seen: seen["state"] != "accepted",
            f"POST {path}: an answer",
            deadline,
        )
        # The same request again is the same command: now it answers with the resource.
        again = self._send("POST", path, body, headers)
        expect(again.status_code != 202, f"POST {path}: its result", _shown(again))
        return _decided(again, "202, applied")

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            own = {**self._own_headers, **(headers or {})}
            return self._http.request(method, path, json=body, headers=own)
        except httpx.HTTPError as error:
            raise StepFailed(f"{method} {path}: an answer from {self._http.base_url}", repr(error)) from error

    def _json(self, answer: httpx.Response, status: int) -> Json:
        request = answer.request
        expect(answer.status_code == status, f"{request.method} {request.url.path}: {status}", _shown(answer))
        body: Json = answer.json()
        return body


def remaining(deadline: float) -> float:
    """Seconds until then, at least a little."""
    return max(0.1, deadline - time.monotonic())


def _decided(answer: httpx.Response, seen: str) -> Answer | Problem:
    if answer.status_code == 409:
        problem: Json = answer.json()
        return Problem(problem["code"], problem.get("facts", {}))
    expect(answer.is_success, f"POST {answer.request.url.path}: applied", _shown(answer))
    return Answer(seen, answer.json())


def _shown(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text}"
