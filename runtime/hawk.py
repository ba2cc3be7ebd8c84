"""Reports errors to Hawk, in the form of its catcher for Python.

The catcher itself (hawk-python-sdk 3.5) is not used: it sends within the call that reports, without a time
limit; it takes the place of `sys.excepthook`, prints into the log's stdout, and gives up on a traceback that
passes through code without a file. Called by `runtime.error_reporting`.
"""

import json
import linecache
import re
import traceback
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import Final

import httpx
import structlog

from runtime.logging import LoggedError, without_values

SEND_TIMEOUT_SECONDS: Final = 5.0
FRAMES_LIMIT: Final = 50
CAUSES_LIMIT: Final = 5
LINES_AROUND: Final = 3
CATCHER: Final = "errors/python"
CATCHER_VERSION: Final = "billbus"
_INTEGRATION = re.compile(r"[A-Za-z0-9-]{1,64}")

log = structlog.get_logger(__name__)


class TokenUnreadable(ValueError):
    """The token does not say which integration it is of."""


class HawkReporter:
    """Sends from a thread of its own. `url` is for a Hawk that is not the public one."""

    def __init__(
        self, service_name: str, token: str, url: str | None, queue_limit: int, flush_seconds: float
    ) -> None:
        """Raises TokenUnreadable, if the address is to be read out of it."""
        if not token:
            raise TokenUnreadable
        self._service_name = service_name
        self._token = token
        self._url = collector_of(token) if url is None else url
        self._flush_seconds = flush_seconds
        self._queue: Queue[bytes | None] = Queue(queue_limit)
        self._thread = Thread(target=self._send_all, name="hawk", daemon=True)
        self._thread.start()

    def report(self, error: LoggedError) -> None:
        # Made into text here: what waits must not keep frames and their variables alive.
        with suppress(Full):
            self._queue.put_nowait(self._event(error))

    def close(self) -> None:
        with suppress(Full):
            self._queue.put_nowait(None)
        self._thread.join(self._flush_seconds)

    def _event(self, error: LoggedError) -> bytes:
        first, *causes = _chain(error.exception)
        payload = {
            "title": _title(first),
            "type": type(first).__name__,
            "backtrace": _backtrace(first),
            "release": None,
            "context": {
                "service.name": self._service_name,
                "message": error.message,
                "log.level": error.level,
                "log.logger": error.logger,
                **error.ids,
                "causes": [_title(cause) for cause in causes],
            },
            "catcherVersion": CATCHER_VERSION,
            "user": None,
            "addons": {},
        }
        return json.dumps({"token": self._token, "catcherType": CATCHER, "payload": payload}).encode()

    def _send_all(self) -> None:
        was_taken = True
        with httpx.Client(timeout=SEND_TIMEOUT_SECONDS) as client:
            while (event := self._queue.get()) is not None:
                is_taken = _send(client, self._url, event)
                if was_taken and not is_taken:
                    log.warning("error reports are not taken", reporter="hawk")
                was_taken = is_taken


def collector_of(token: str) -> str:
    """The address that a token names. Raises TokenUnreadable."""
    try:
        integration = str(json.loads(b64decode(token))["integrationId"])
    except (ValueError, KeyError, TypeError) as error:
        raise TokenUnreadable from error
    if not _INTEGRATION.fullmatch(integration):
        raise TokenUnreadable
    return f"https://{integration}.k1.hawk.so"


def _send(client: httpx.Client, url: str, event: bytes) -> bool:
    """Its answer's body is never read: it could be without end."""
    try:
        with client.stream(
            "POST", url, content=event, headers={"Content-Type": "application/json"}
        ) as answer:
            return answer.is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _chain(exception: BaseException) -> list[BaseException]:
    """It, and what it came of."""
    chain = [exception]
    while len(chain) <= CAUSES_LIMIT:
        last = chain[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or cause in chain:
            break
        chain.append(cause)
    return chain


def _title(exception: BaseException) -> str:
    return without_values("".join(traceback.format_exception_only(exception)).strip())


def _backtrace(exception: BaseException) -> list[dict[str, object]]:
    """The latest call first, with the source around it."""
    frames = traceback.extract_tb(exception.__traceback__)[-FRAMES_LIMIT:]
    return [
        {
            "file": frame.filename,
            "line": frame.lineno,
            "function": frame.name,
            "sourceCode": list(_source(frame.filename, frame.lineno or 0)),
        }
        for frame in reversed(frames)
    ]


def _source(filename: str, line: int) -> Iterator[dict[str, object]]:
    for number in range(max(1, line - LINES_AROUND), line + LINES_AROUND + 1):
        if content := linecache.getline(filename, number):
            yield {"line": number, "content": content.rstrip()}
