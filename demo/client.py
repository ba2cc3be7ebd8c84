"""The client API as the demo uses it: bearer token, idempotency keys, and the way of a command.

Called by the story. Knows the API's manners (202 and Location, Prefer, problems), not its resources.
"""

import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
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


class ApiClient:
    """One customer's connection; `trusted` says whose certificates are believed, if not the usual ones."""

    def __init__(self, url: str, trusted: ssl.SSLContext | None = None) -> None:
        # The machine's proxies are for other places than the studio's own address.
        self._http = httpx.Client(
            base_url=url, timeout=REQUEST_SECONDS_MAX, trust_env=False, verify=trusted or True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def sign_in_with(self, access_token: str) -> None:
        """From now on requests are this customer's."""
        self._http.headers["Authorization"] = f"Bearer {access_token}"

    def get(self, path: str) -> Json:
        """Raises StepFailed unless it is 200."""
        return self._json(self._send("GET", path), 200)

    def post(self, path: str, body: Mapping[str, object], status: int) -> Json:
        """For what is no command. Raises StepFailed unless the answer has this status."""
        return self._json(self._send("POST", path, body), status)

    def command(self, path: str, body: Mapping[str, object] | None, deadline: float) -> Answer:
        """Sends a command under a key of its own and waits until it is applied. Raises StepFailed."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": f"wait={WAIT_SECONDS}"}
        answer = self._send("POST", path, body, headers)
        if answer.status_code != 202:
            expect(answer.is_success, f"POST {path}: applied", _shown(answer))
            return Answer("applied", answer.json())
        location = answer.headers["Location"]
        operation = wait_for(
            lambda: self.get(location),
            lambda seen: seen["state"] != "accepted",
            f"POST {path}: an answer",
            deadline,
        )
        expect(operation["state"] == "applied", f"POST {path}: applied", operation)
        # The same request again is the same command: now it answers with the resource.
        again = self._send("POST", path, body, headers)
        expect(again.is_success and again.status_code != 202, f"POST {path}: its result", _shown(again))
        return Answer("202, applied", again.json())

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, headers=headers)
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


def _shown(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text}"
